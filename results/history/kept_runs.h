// SPDX-License-Identifier: Apache-2.0
// The runs of a history in the form in which journals are read, for whoever judges runs: a record
// per case with its median and interval, and without samples.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "results/history/history.h"
#include "results/record/journal.h"

namespace stepmark {

struct KeptRuns {
  std::int64_t from = 0, to = 0;  // when they began: seconds since 1970, `to` not included
  std::string place;              // empty: of the only place that has runs then
};

// In the order of time. Facts are those that say what was done, figures what follows from them and
// the time: one that needs another fact (a peak) is N/A and says so. Repetitions of a journal are
// one run, as in the history. Error(kUsage), naming the places, where `place` is none, or is empty
// and several have runs then: they may be of several providers.
[[nodiscard]] std::vector<Run> kept_runs(const History& history, const KeptRuns& wanted);

}  // namespace stepmark
