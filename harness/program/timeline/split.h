// SPDX-License-Identifier: Apache-2.0
// Where the time of one step went, seen from one rank's compute stream. The parts add up to the
// step exactly: compute and optimizer are kernels; "exposed A" is time the compute stream stood
// still for communication on axis A, and "waiting A" what of that passed before the last other rank
// had come to it (without arrivals: all is "exposed A"); the rest is overhead (dispatch, scheduling
// by the operating system). Kernels of the optimizer on another stream are in "optimizer" as far as
// the compute stream stood still for them or had ended; what they did beside it is no part.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "harness/program/program.h"
#include "harness/program/timeline/arrivals.h"
#include "harness/program/timeline/timeline.h"

namespace stepmark {

struct SplitPart {
  std::string name;
  double seconds = 0;
};
struct StepSplit {
  std::vector<SplitPart> parts;
  double optimizer_overlapped_s = 0;            // of kernels of the optimizer: what is in no part
  std::map<std::int32_t, double> waited_for_s;  // of "waiting": by the rank that came last
};
[[nodiscard]] StepSplit split_step(const Program& program, const Timeline& timeline,
                                   const Arrivals& arrivals = {});
// Time in which at least one stream was at work (waiting for another stream is none, nor is the
// timeline's own cost).
[[nodiscard]] double busy_seconds(const Timeline& timeline);

}  // namespace stepmark
