// SPDX-License-Identifier: Apache-2.0
// Groups at work at the same time, each on a stream of its own with a sequence of calls, and each
// alone: checks, calls and times of family `groups`. Internal to harness/cases.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "harness/cases/case.h"
#include "harness/cases/traffic.h"

namespace stepmark {

// What this rank does in a group, whose name is the lane's and the stream's.
struct GroupLane {
  Group group;
  std::vector<Traffic> traffic;  // different calls, each with buffers of its own
  struct Call {
    std::size_t traffic = 0;
    double at = 0.5;  // among those of the other lanes (LaneOp)
  };
  std::vector<Call> calls;  // the sequence that is repeated; none: the rank has no part
};

// A program of one sequence of each lane; for its memory.
[[nodiscard]] Program program_of_lanes(const Control& control, const std::vector<GroupLane>& lanes);

// Adds series, numbers of calls and checks to the record; ends at the first check that fails. All
// ranks have the same lanes, by name. Sequences are repeated at least `least_calls` times, at most
// `most_calls` of each lane, and otherwise so that lanes take about the same time alone.
// Collective.
void measure_lanes(Record& record, CaseContext& context, const std::vector<GroupLane>& lanes,
                   std::int64_t least_calls, const std::vector<std::int64_t>& most_calls);

// Of one call per sequence.
inline constexpr std::int64_t kMostLaneCalls = 512;

}  // namespace stepmark
