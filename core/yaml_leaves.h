// SPDX-License-Identifier: Apache-2.0
// A YAML text as a flat list, for saying in which key two texts differ.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stepmark {

// Path and value of every leaf in the text's order: {"cases[1].min", "4KiB"}. Comments and style do
// not count. A text that is no YAML, or nested beyond what a configuration may be, is one leaf with
// an empty path and itself as value.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> yaml_leaves(std::string_view text);

}  // namespace stepmark
