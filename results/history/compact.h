// SPDX-License-Identifier: Apache-2.0
// What a history can do without after some time: facts of old runs that change from run to run
// (load, free memory). Medians, intervals, counts, outcomes and notes are never taken away.
#pragma once

#include <cstdint>

#include "results/history/history.h"

namespace stepmark {

struct Compacted {
  std::int64_t facts = 0;  // links of runs to facts that are gone
  std::int64_t bytes_before = 0, bytes_after = 0;
};

// Of runs that began before `before` (seconds since 1970), but for those on both sides of a change,
// whose environments explain it. Checks the file first: Error(kUsage) for a damaged one.
Compacted compact_history(const History& history, std::int64_t before);

}  // namespace stepmark
