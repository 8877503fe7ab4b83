// SPDX-License-Identifier: Apache-2.0
// What the cases share in which several streams are at work at the same time: `groups` and
// `overlap`. Internal to harness/cases.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/control.h"
#include "harness/cases/traffic.h"
#include "harness/exec/executor.h"
#include "harness/program/builder.h"

namespace stepmark {

// What is added to the program, and where in its lane's sequence that is: from 0, the begin, to 1.
struct LaneOp {
  std::function<void(ProgramBuilder&)> add;
  double at = 0.5;
};
// The ops of one stream: `calls` times a sequence, in the order of `at`.
struct Lane {
  std::int64_t calls = 1;
  std::vector<LaneOp> ops;
};
// Lanes take turns in proportion to their calls, so that none is issued late. Sequences of as many
// calls are issued op by op in the order of `at`.
void interleave(ProgramBuilder& builder, const std::vector<Lane>& lanes);

// Seconds from the begin of the first op to the end of the last, of one stream or of all (empty).
[[nodiscard]] double extent_s(const Program& program, const Timeline& timeline,
                              std::string_view stream = {});

// How often something is repeated, decided on rank 0: the power of two nearest to `wanted`, at most
// `most` (a power of two). Coarse, so that two runs decide alike and can be compared. Collective.
[[nodiscard]] std::int64_t decided_count(Control& control, double wanted, std::int64_t most);

// Seconds of one run of `runnable`, the middle of a few, the slowest rank's. Collective.
[[nodiscard]] double typical_seconds(Control& control, Runnable& runnable);

}  // namespace stepmark
