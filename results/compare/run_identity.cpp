// SPDX-License-Identifier: Apache-2.0
// What makes two runs one is known to results/record; here is said on which sides they stand.
#include "results/compare/run_identity.h"

#include <string>
#include <vector>

#include "core/error.h"
#include "results/record/same_run.h"

namespace stepmark {

void require_distinct_runs(std::span<const RunSide> sides) {
  std::vector<const Run*> runs;
  std::vector<std::size_t> side_of;
  for (std::size_t side = 0; side < sides.size(); ++side) {
    for (const auto& run : sides[side].runs) {
      runs.push_back(&run);
      side_of.push_back(side);
    }
  }
  const auto same = find_same_run(runs);
  if (!same) {
    return;
  }
  const auto& a = *runs[same->first];
  const auto& b = *runs[same->second];
  const auto where = side_of[same->first] == side_of[same->second]
                         ? "on one side, where every file must be a run of its own"
                         : "on two sides, where a run would be compared with itself";
  throw Error(ExitCode::kUsage,
              fmt::format("{} and {} {}: {}; leave one out", a.path, b.path,
                          a.path == b.path ? fmt::format("are one file, given twice {}", where)
                                           : fmt::format("are the same run {}", where),
                          same->why));
}

}  // namespace stepmark
