// SPDX-License-Identifier: Apache-2.0
// Where two values of JSON differ. Internal to results/seal.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace stepmark {

struct JsonDifference {
  // "floors[0].verdict: "met", "not met" follows (floor all-reduce-8-nodes)": with the names of
  // what it stands in.
  std::string text;
  nlohmann::json::json_pointer place;  // in `claimed`: of the value, or of what lacks one
};

// The first difference; numbers may differ by what compilers do. `known_only`: keys that one of
// both lacks do not count, as between versions.
[[nodiscard]] std::optional<JsonDifference> first_difference_of(const nlohmann::json& claimed,
                                                                const nlohmann::json& follows,
                                                                bool known_only);

// The line of `text`, from 1, where the value at `place` begins; 0 where `text` is not what
// json_text(json, {.indent = 1}) and a break give.
[[nodiscard]] std::int64_t line_of(const nlohmann::json& json,
                                   const nlohmann::json::json_pointer& place,
                                   std::string_view text);

}  // namespace stepmark
