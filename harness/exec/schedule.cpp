// SPDX-License-Identifier: Apache-2.0
#include "harness/exec/schedule.h"

#include <algorithm>

namespace stepmark {

std::vector<std::vector<ScheduledOp>> schedule_of(const Program& program) {
  const std::size_t streams = program.streams.size();
  std::vector<std::vector<ScheduledOp>> schedule(streams);
  // seen[s][t]: the last op of stream t whose end every later op of stream s already follows.
  std::vector<std::vector<std::int32_t>> seen(streams, std::vector<std::int32_t>(streams, -1));
  std::vector<bool> signals(program.ops.size(), false);

  for (std::size_t i = 0; i < program.ops.size(); ++i) {
    const Op& op = program.ops[i];
    const auto stream = static_cast<std::size_t>(op.stream);
    std::vector<std::int32_t> latest(streams, -1);
    for (const std::int32_t dep : op.deps) {
      auto& slot =
          latest[static_cast<std::size_t>(program.ops[static_cast<std::size_t>(dep)].stream)];
      slot = std::max(slot, dep);
    }
    ScheduledOp entry{.op = static_cast<std::int32_t>(i)};
    for (std::size_t other = 0; other < streams; ++other) {
      if (other == stream || latest[other] <= seen[stream][other]) continue;
      seen[stream][other] = latest[other];
      entry.waits.push_back(latest[other]);
      signals[static_cast<std::size_t>(latest[other])] = true;
    }
    schedule[stream].push_back(std::move(entry));
  }
  for (auto& entries : schedule) {
    for (ScheduledOp& entry : entries) entry.signals = signals[static_cast<std::size_t>(entry.op)];
  }
  return schedule;
}

}  // namespace stepmark
