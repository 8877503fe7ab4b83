// SPDX-License-Identifier: Apache-2.0
// Where two values of JSON differ. Internal to results/seal.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace stepmark {

// "sides[0].cases[2].ratio: 1.02, 1.07 follows" for the first difference; numbers may differ by
// what compilers do. `known_only`: keys that one of both lacks do not count, as between versions.
[[nodiscard]] std::optional<std::string> first_difference_of(const nlohmann::json& claimed,
                                                             const nlohmann::json& follows,
                                                             bool known_only);

}  // namespace stepmark
