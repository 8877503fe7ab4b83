// SPDX-License-Identifier: Apache-2.0
// What one run said of one case: what floors are held against. Made from journals here; whatever
// else keeps dated results of runs (a history) can make the same.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "results/contract/terms.h"
#include "results/record/journal.h"
#include "results/record/record_lines.h"

namespace stepmark {

// A metric at the run's median time, with the 95 % interval from its samples where it has one.
struct RunFigure {
  std::string metric, unit;
  std::optional<double> value, lower, upper;
  std::string note;  // why there is no value
  bool higher_is_better = true;
};

// A run is one repetition of a journal: a restart of everything the run consists of.
struct RunResult {
  std::string source;  // the journal, for people
  int line = 0;        // of the record in it; 0: not known
  int repetition = 1;
  double started_unix_s = 0;  // 0: not known
  std::string case_id, family;
  std::optional<std::int64_t> size_bytes;
  std::optional<std::int64_t> nodes;  // on which it ran, all GPUs of each used
  std::string nodes_unknown;          // why it has none
  Provenance provenance = Provenance::measured;
  std::size_t samples = 0;  // of the time that were counted; 0: a summary without samples
  double median_s = 0;      // NaN: none
  std::vector<RunFigure> figures;
  std::vector<std::string> stack_differs;  // "software NCCL is '2.27', the terms want '2.28'"
  std::string unusable;                    // why it is no evidence: a check failed, not measured
  const Record* record = nullptr;          // with its samples, where there is one
  // nullptr: it has no such metric.
  [[nodiscard]] const RunFigure* figure(std::string_view metric) const;
};

// Of all cases and repetitions, in the order of the journals. `runs` must outlive them: they point
// into it. Error(kUsage) where a journal is there twice, under whatever name.
[[nodiscard]] std::vector<RunResult> run_results(std::span<const Run> runs, const Terms& terms);
// The same for whoever has no terms yet: no stack is asked for.
[[nodiscard]] std::vector<RunResult> run_results(std::span<const Run> runs,
                                                 std::int64_t gpus_per_node);
// Says of the results of one journal where in it they stand.
void add_lines(std::span<RunResult> results, std::string_view source, const RecordLines& lines);

}  // namespace stepmark
