// SPDX-License-Identifier: Apache-2.0
// From a suite to the list of cases of a world.
#pragma once

#include <vector>

#include "harness/cases/suite.h"

namespace stepmark {

// All cases of a suite for a world of `world_size` ranks. Workloads are looked up by name. An entry
// none of whose plans fits becomes a skipped case; an explicit single plan that does not fit is
// Error(kUsage). Entries that come to the same case (fallback plans do) share it. Error(kUsage) for
// two cases of one id that differ in what they measure, and for more than kMaxSweepCases.
[[nodiscard]] Expansion expand(const Suite& suite, int world_size,
                               const std::vector<Workload>& workloads);

}  // namespace stepmark
