// SPDX-License-Identifier: Apache-2.0
// Which figures of others stand beside a report's own.
#pragma once

#include <span>
#include <vector>

#include "results/record/journal.h"

namespace stepmark {

// Measured records of the runs that stand beside (Run::beside), of families that the others have
// measured cases of; where a family draws curves, of the same first text that sets drawings apart,
// such as the collective. Where they were taken on other systems nothing more can be asked to be
// equal: it is for a reader to know, not to compare. Pointers into `runs`.
[[nodiscard]] std::vector<const Record*> records_beside(std::span<const Run> runs);

}  // namespace stepmark
