// SPDX-License-Identifier: Apache-2.0
// Strict reading of JSON objects: every key must be asked for and have the right type; the first
// mistake is an Error(kUsage) "where.key: what was found, what was expected". Internal to results.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace stepmark {

class JsonReader {
 public:
  // `where` names the object in messages ("record", "record.series[2]"). `json` must outlive this.
  JsonReader(const nlohmann::json& json, std::string where);

  [[nodiscard]] bool has(std::string_view key) const;
  [[nodiscard]] const nlohmann::json& any(std::string_view key);  // required, of any type
  [[nodiscard]] const nlohmann::json& array(std::string_view key);
  [[nodiscard]] const nlohmann::json& object(std::string_view key);
  [[nodiscard]] std::string text(std::string_view key);
  [[nodiscard]] double number(std::string_view key);  // null reads as NaN
  [[nodiscard]] std::int64_t integer(std::string_view key);
  [[nodiscard]] int small_integer(std::string_view key);
  [[nodiscard]] bool boolean(std::string_view key);
  [[nodiscard]] std::vector<std::string> texts(std::string_view key);
  [[nodiscard]] std::vector<double> numbers(std::string_view key);
  void finish() const;  // throws for a key nobody asked for

  [[noreturn]] void fail(std::string_view key, std::string_view expected) const;
  [[nodiscard]] std::string place(std::string_view key) const;  // "where.key"

 private:
  const nlohmann::json& json_;
  std::string where_;
  std::set<std::string, std::less<>> asked_;
};

// Error(kUsage) for what is no JSON (with the column), or is nested deeper than kMaxJsonDepth: what
// walks a value (comparing, flattening, printing, destroying) takes stack for every level.
[[nodiscard]] nlohmann::json parse_json(std::string_view text);

// NaN and infinities have no JSON form: they travel as null.
[[nodiscard]] nlohmann::json number_or_null(double value);

}  // namespace stepmark
