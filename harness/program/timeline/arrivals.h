// SPDX-License-Identifier: Apache-2.0
// When the last rank of a collective or message arrived at it: what a rank stands in it before that
// is waiting for others, and only the rest is transfer. Ranks time their steps by clocks of their
// own, which the calls themselves align: nobody leaves an all-reduce before everybody has come.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "harness/program/program.h"
#include "harness/program/timeline/timeline.h"

namespace stepmark {

inline constexpr std::int32_t kNoOp = -1;

// A rank's part in a collective or message. Times in nanoseconds since the start of its step.
struct Call {
  std::string meeting;  // alike on all ranks that take part
  std::int32_t op = 0;  // index into Program::ops; kNoOp: of none, to align clocks by
  std::int64_t begin_ns = 0, end_ns = 0;
  bool gives = true;  // others cannot end before it has begun
  bool takes = true;  // it cannot end before those that give have begun
};
// Of every communication op that has a span, in op order; two of an op that sends and receives.
[[nodiscard]] std::vector<Call> calls_of(const Program& program, const Timeline& timeline);

struct RankCalls {
  // Ranks with the same text read the same clock, on which their steps began at start_ns.
  std::string clock;
  std::int64_t start_ns = 0;
  std::vector<Call> calls;
};

// The latest that another rank came to an op's call, on the own clock.
struct Arrival {
  std::int64_t at_ns = 0;  // since the start of the own step
  std::int32_t rank = 0;   // who came last
};
using Arrivals = std::map<std::int32_t, Arrival>;  // by op

struct Alignment {
  std::string unknown;  // why the clocks cannot be aligned; empty: they are
  // To be added to a rank's times to have those since the first rank's start: none is negative, and
  // none is wrong against rank 0's by more than error_ns.
  std::vector<std::int64_t> offset_ns;
  std::int64_t error_ns = 0;
  std::vector<Arrivals> arrivals;  // by rank
};
// Of all ranks of a job, in rank order.
[[nodiscard]] Alignment align(const std::vector<RankCalls>& ranks);

}  // namespace stepmark
