// SPDX-License-Identifier: Apache-2.0
// What would decide a case that is undecided: how many further runs, or how many more samples per
// run, from the variances that were seen. Method: docs/measuring.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace stepmark {

struct CompareOptions;
struct CaseStatistics;

enum class Need : std::uint8_t {
  nothing,  // the case is decided, or was not compared
  spread,   // nothing tells what runs differ by: so many more, then ask again
  runs,     // more runs of each side, which count beside those there are
  samples,  // runs anew, each with more samples: the samples' own chance is most of the error
  no_runs   // no number of runs that can be made: `why`
};
[[nodiscard]] std::string_view name_of(Need need);  // "nothing", "spread", "runs", ...

inline constexpr int kMostPlannedRuns = 200;   // per side
inline constexpr int kFewestRunsOfSpread = 4;  // per side
inline constexpr int kMostSamplesFactor = 16;  // of the samples of a run
inline constexpr double kLeastSmallest =
    0.02;  // default of what shall be found, if the margin is less

struct ToDecide {
  Need need = Need::nothing;
  int runs = 0;  // per side in the comparison that decides; of `samples` all of them new
  int more_baseline = 0, more_candidate = 0;
  int samples_factor = 1;  // times the samples per run
  bool of_nodes = false;   // what is counted are nodes: further runs must be on others
  double from_margin =
      0;             // distance of the ratio from the margin, where that made the number; else 0
  double power = 0;  // expected of that comparison, at least what is wanted; 0: not known
  std::string why;   // why no number decides
};

// The smallest difference that shall be found, relative: as stated, else twice the margin, 2 % at
// least.
[[nodiscard]] double smallest_difference(const CompareOptions& options);

// Of a case whose verdict is undecided; `cases` are judged together.
[[nodiscard]] ToDecide to_decide(const CaseStatistics& statistics, const CompareOptions& options,
                                 std::size_t cases);

}  // namespace stepmark
