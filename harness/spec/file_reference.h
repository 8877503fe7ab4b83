// SPDX-License-Identifier: Apache-2.0
// Names that may be files: "tiny" is a shipped workload, "my.yaml" or "mine/w.yaml" is a file.
#pragma once

#include <string>
#include <string_view>

namespace stepmark {

// Whether a name ends in .yaml or .yml or holds a '/'.
[[nodiscard]] bool names_a_file(std::string_view name);
// `path` as the file `from` means it: relative paths start at the folder of `from`.
[[nodiscard]] std::string relative_to_file(const std::string& from, const std::string& path);

}  // namespace stepmark
