// SPDX-License-Identifier: Apache-2.0
// A comparison as text for a terminal.
#pragma once

#include <string>

#include "results/compare/compare.h"

namespace stepmark {

// At most 100 columns: differences of the runs, a table per family with ratios and verdicts,
// remarks, counts and the exit code.
[[nodiscard]] std::string comparison_table(const Comparison& comparison);

}  // namespace stepmark
