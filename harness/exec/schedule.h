// SPDX-License-Identifier: Apache-2.0
// What each stream does, in order, with the fewest cross-stream waits: a stream that waited for op
// n of another stream need not wait for earlier ops of it again. Pure; used by every device.
#pragma once

#include <cstdint>
#include <vector>

#include "harness/program/program.h"

namespace stepmark {

struct ScheduledOp {
  std::int32_t op = 0;
  std::vector<std::int32_t> waits;  // ops of other streams; at most one per stream
  bool signals = false;             // some op of another stream waits for this one
};

// Per stream of the program. The program must have passed check_ops().
[[nodiscard]] std::vector<std::vector<ScheduledOp>> schedule_of(const Program& program);

}  // namespace stepmark
