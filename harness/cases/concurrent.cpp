// SPDX-License-Identifier: Apache-2.0
// Calls of several lanes are issued in the order of their progress, so that no stream is issued far
// ahead of another. Counts are powers of two chosen by rank 0: programs must be alike on all ranks.
#include "harness/cases/concurrent.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/stats.h"
#include "harness/cases/common.h"

namespace stepmark {
namespace {

constexpr int kTrials = 5;

}  // namespace

void interleave(ProgramBuilder& builder, const std::vector<Lane>& lanes) {
  struct Issued {
    std::int64_t calls = 0;
    std::size_t ops = 0;  // of the next call
  };
  std::vector<Issued> issued(lanes.size());
  for (;;) {
    std::size_t next = lanes.size();
    double earliest = 1.0;
    for (std::size_t i = 0; i < lanes.size(); ++i) {
      if (lanes[i].ops.empty()) continue;
      const double progress =
          (static_cast<double>(issued[i].calls) + lanes[i].ops[issued[i].ops].at) /
          static_cast<double>(lanes[i].calls);
      if (progress < earliest) {
        earliest = progress;
        next = i;
      }
    }
    if (next == lanes.size()) return;
    Issued& of_lane = issued[next];
    lanes[next].ops[of_lane.ops].add(builder);
    if (++of_lane.ops < lanes[next].ops.size()) continue;
    of_lane = {.calls = of_lane.calls + 1, .ops = 0};
  }
}

double extent_s(const Program& program, const Timeline& timeline, std::string_view stream) {
  std::int64_t begin = std::numeric_limits<std::int64_t>::max();
  std::int64_t end = std::numeric_limits<std::int64_t>::min();
  for (const Span& span : timeline.spans) {
    const Op& op = program.ops[static_cast<std::size_t>(span.op)];
    if (!stream.empty() && program.streams[static_cast<std::size_t>(op.stream)] != stream) continue;
    begin = std::min(begin, span.begin_ns);
    end = std::max(end, span.end_ns);
  }
  return begin > end ? 0.0 : static_cast<double>(end - begin) * 1e-9;
}

std::int64_t decided_count(Control& control, double wanted, std::int64_t most) {
  const double exponent = std::round(std::log2(std::max(1.0, wanted)));
  const double own = std::min(std::exp2(exponent), static_cast<double>(most));
  return static_cast<std::int64_t>(value_of_root(control, own));
}

double typical_seconds(Control& control, Runnable& runnable) {
  std::vector<double> times;
  for (int i = 0; i < kTrials + 1; ++i) {
    control.barrier();
    runnable.run_traced();
    if (i > 0) times.push_back(extent_s(runnable.program(), runnable.timeline()));
  }
  return std::max(1e-9, max_over_ranks(control, median(times)));
}

}  // namespace stepmark
