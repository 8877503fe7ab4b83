// SPDX-License-Identifier: Apache-2.0
// In what two runs differ: environment, configuration and how they were run. For every comparison
// of runs, so that none of them forgets a fact.
#pragma once

#include <vector>

#include "results/compare/compare.h"

namespace stepmark {

// Fingerprint facts first; a fact that one run lacks is empty there.
[[nodiscard]] std::vector<Difference> differences(const Run& a, const Run& b);

}  // namespace stepmark
