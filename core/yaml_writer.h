// SPDX-License-Identifier: Apache-2.0
// Writing of YAML for others to read: quoting and indentation are the library's, so that no text of
// a journal can become a key.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace stepmark {

// One document, a map. Keys come out in the order of the calls.
class YamlWriter {
 public:
  YamlWriter();
  ~YamlWriter();
  YamlWriter(const YamlWriter&) = delete;
  YamlWriter& operator=(const YamlWriter&) = delete;

  YamlWriter& begin(std::string_view key);  // a map
  YamlWriter& end();
  YamlWriter& text(std::string_view key, std::string_view value);  // empty: null
  YamlWriter& number(std::string_view key, double value);          // not finite: null
  YamlWriter& number(std::string_view key, std::int64_t value);
  YamlWriter& flag(std::string_view key, bool value);
  YamlWriter& texts(std::string_view key, const std::vector<std::string>& values);
  YamlWriter& numbers(std::string_view key, const std::vector<double>& values);
  // The document, with a line break at its end. Nothing may be written after.
  [[nodiscard]] std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace stepmark
