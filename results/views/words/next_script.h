// SPDX-License-Identifier: Apache-2.0
// The runs that would decide as a shell script.
#pragma once

#include <string>
#include <vector>

#include "results/compare/next_runs.h"

namespace stepmark {

// For POSIX sh, to be pasted or piped: comments say what it will decide and what a reader may have
// to change. `compare`: program and options of the comparisons it ends with. Its exit code is that
// of the comparison, the worst of several.
[[nodiscard]] std::string next_script(const NextRuns& plan, const CompareOptions& options,
                                      const std::vector<std::string>& compare);

// A word that a shell reads as this text.
[[nodiscard]] std::string shell_word(const std::string& text);

}  // namespace stepmark
