// SPDX-License-Identifier: Apache-2.0
// Whether two runs are one. The same samples counted twice look like a repetition that agrees
// perfectly: whatever is computed over runs is then surer than it may be.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "results/record/journal.h"

namespace stepmark {

struct SameRun {
  std::size_t first = 0, second = 0;  // places in the list
  std::string why;                    // "run_id ..." or the case whose samples are the same
};

// The first two of the list that have the same run_id (copies and resumed copies included) or share
// a record: a case that began at the same time with the same samples.
[[nodiscard]] std::optional<SameRun> find_same_run(std::span<const Run* const> runs);

}  // namespace stepmark
