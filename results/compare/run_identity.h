// SPDX-License-Identifier: Apache-2.0
// Whether the runs of a comparison are different runs. The same samples counted twice look like a
// repetition that agrees perfectly: intervals shrink and differences are found where there are
// none.
#pragma once

#include <span>

#include "results/compare/compare.h"

namespace stepmark {

// Error(kUsage) naming both files when two runs are one (the same run_id, copies and resumed copies
// included) or share records (a case that began at the same time with the same samples), on the
// same side or on two.
void require_distinct_runs(std::span<const RunSide> sides);

}  // namespace stepmark
