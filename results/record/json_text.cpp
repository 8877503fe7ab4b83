// SPDX-License-Identifier: Apache-2.0
// Fast path first: only text that the writer refuses is walked through and made valid.
#include "results/record/json_text.h"

#include "core/utf8.h"

namespace stepmark {
namespace {

nlohmann::json with_valid_text(const nlohmann::json& json) {
  if (json.is_string()) return valid_utf8(json.get_ref<const std::string&>());
  if (json.is_array()) {
    auto out = nlohmann::json::array();
    for (const auto& item : json) out.push_back(with_valid_text(item));
    return out;
  }
  if (json.is_object()) {
    auto out = nlohmann::json::object();
    for (const auto& [key, value] : json.items()) out[valid_utf8(key)] = with_valid_text(value);
    return out;
  }
  return json;
}

}  // namespace

std::string json_text(const nlohmann::json& json, const JsonStyle& style) {
  try {
    return json.dump(style.indent, ' ', style.ascii_only);
  } catch (const nlohmann::json::type_error&) {  // all that the writer refuses is bad text
    return with_valid_text(json).dump(style.indent, ' ', style.ascii_only);
  }
}

}  // namespace stepmark
