// SPDX-License-Identifier: Apache-2.0
// Per op the waits left over after FewestWaits, and whether anybody waits for it: only such ops
// signal, and the others cost one call.
#include "harness/exec/schedule.h"

#include "harness/program/fewest_waits.h"

namespace stepmark {

std::vector<std::vector<ScheduledOp>> schedule_of(const Program& program) {
  const std::size_t streams = program.streams.size();
  std::vector<std::vector<ScheduledOp>> schedule(streams);
  std::vector<bool> signals(program.ops.size(), false);
  FewestWaits waits;

  for (std::size_t i = 0; i < program.ops.size(); ++i) {
    const Op& op = program.ops[i];
    for (const std::int32_t dep : op.deps) {
      waits.depends(program.ops[static_cast<std::size_t>(dep)].stream, dep);
    }
    ScheduledOp entry{.op = static_cast<std::int32_t>(i), .waits = waits.waits_of(op.stream)};
    for (const std::int32_t wait : entry.waits) signals[static_cast<std::size_t>(wait)] = true;
    schedule[static_cast<std::size_t>(op.stream)].push_back(std::move(entry));
  }
  for (auto& entries : schedule) {
    for (ScheduledOp& entry : entries) entry.signals = signals[static_cast<std::size_t>(entry.op)];
  }
  return schedule;
}

}  // namespace stepmark
