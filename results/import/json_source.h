// SPDX-License-Identifier: Apache-2.0
// JSON that another tool wrote: where its objects stand, and what is left of it when it was cut.
// Internal to results/import.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "results/import/importer.h"
#include "results/import/text_lines.h"

namespace stepmark {

class JsonSource {
 public:
  // Error(kUsage) "file:line: ..." for what is no JSON object (or array of objects) and would be
  // none if it went on.
  explicit JsonSource(const ImportSource& source);

  [[nodiscard]] const nlohmann::json& root() const { return root_; }
  [[nodiscard]] bool cut() const { return cut_; }  // completed by closing what was open
  // Of the object at a JSON pointer ("/results/3"); of the nearest one around it that is known.
  [[nodiscard]] int line(std::string_view pointer) const;

  // What a tool may leave out or write otherwise; nothing where it is not there or of another type.
  [[nodiscard]] static const nlohmann::json* find(const nlohmann::json& object, const char* key);
  [[nodiscard]] static std::string text(const nlohmann::json& object, const char* key);
  // A number, or a text that is one as some write them; never one that is negative or not finite.
  [[nodiscard]] static std::optional<PrintedNumber> number(const nlohmann::json& object,
                                                           const char* key);
  [[nodiscard]] static std::optional<std::int64_t> whole(const nlohmann::json& object,
                                                         const char* key);
  // As it stands there, in short, for messages.
  [[nodiscard]] static std::string shown(const nlohmann::json& object, const char* key);

 private:
  nlohmann::json root_;
  std::map<std::string, int, std::less<>> lines_;
  bool cut_ = false;
};

}  // namespace stepmark
