// SPDX-License-Identifier: Apache-2.0
// Each lane has calls back to back for about the same time, so that lanes meet throughout. Times
// are those between the events around a lane's calls.
#include "harness/cases/group_lanes.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "harness/cases/common.h"
#include "harness/cases/concurrent.h"
#include "results/families/groups.h"

namespace stepmark {
namespace {

constexpr double kSampleSeconds = 1e-3;
constexpr double kTogetherShare = 0.5;  // of the budget; the lanes alone share the rest

std::string buffer_name(const GroupLane& lane, std::size_t traffic) {
  return fmt::format("{}.{}", lane.group.axis, traffic);
}

Program program_of(const Control& control, const std::vector<GroupLane>& all,
                   const std::vector<std::size_t>& which, const std::vector<std::int64_t>& calls) {
  ProgramBuilder builder("groups", control.rank(), control.size());
  std::vector<Lane> lanes;
  for (const std::size_t index : which) {
    const GroupLane& of = all[index];
    builder.add_group(of.group);
    std::vector<TrafficOperands> operands;
    for (std::size_t i = 0; i < of.traffic.size(); ++i) {
      operands.push_back(add_buffers(builder, of.traffic[i], buffer_name(of, i)));
    }
    Lane& lane = lanes.emplace_back(Lane{.calls = calls[index], .ops = {}});
    for (const GroupLane::Call& call : of.calls) {
      const Traffic& traffic = of.traffic[call.traffic];
      lane.ops.push_back(
          {.add =
               [name = of.group.axis, on = operands[call.traffic], shape = traffic.shape](
                   ProgramBuilder& program) { program.comm(name, name, shape, on.send, on.recv); },
           .at = call.at});
    }
  }
  interleave(builder, lanes);
  return std::move(builder).take();
}

std::vector<std::size_t> every(const std::vector<GroupLane>& lanes) {
  std::vector<std::size_t> all(lanes.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  return all;
}

class LanesRun {
 public:
  LanesRun(CaseContext& context, CommSet& comms, const std::vector<GroupLane>& lanes,
           const std::vector<std::size_t>& which, const std::vector<std::int64_t>& calls)
      : runnable_(context.executor.prepare(program_of(context.control, lanes, which, calls), comms,
                                           {.capture = !context.options.eager})) {
    for (const std::size_t index : which) {
      Checked& lane = lanes_.emplace_back(Checked{.lane = &lanes[index], .buffers = {}});
      for (std::size_t i = 0; i < lane.lane->traffic.size(); ++i) {
        lane.buffers.push_back(buffers_of(context.executor.device(), lane.lane->traffic[i],
                                          *runnable_, buffer_name(*lane.lane, i),
                                          comms.of(lane.lane->group.axis)));
      }
    }
  }

  [[nodiscard]] Runnable& runnable() { return *runnable_; }
  void fill() {
    for (Checked& lane : lanes_) {
      for (CollectiveBuffers& one : lane.buffers) one.fill();
    }
  }
  // fresh: on poisoned buffers after one run; else what the timed runs left.
  bool check(Record& record, CaseContext& context, const std::string& when, bool fresh) {
    if (fresh) {
      fill();
      context.control.barrier();
      runnable_->run_traced();
    }
    for (const Checked& lane : lanes_) {
      const std::string name =
          fmt::format("{}: every element exact {}", lane.lane->group.axis, when);
      Verification found = verify(lane);
      const double most = max_over_ranks(context.control, static_cast<double>(found.checked));
      // A rank that only sends, or has no part, has nothing to look at; somebody has.
      if (found.checked == 0) found.checked = static_cast<std::int64_t>(most);
      if (!add_verification(record, context.control, name, found)) return false;
    }
    return true;
  }

 private:
  struct Checked {
    const GroupLane* lane;
    std::vector<CollectiveBuffers> buffers;  // by traffic
  };

  // Of all buffers of a lane: the first that is wrong, else how many elements were looked at.
  static Verification verify(const Checked& checked) {
    Verification all;
    for (std::size_t i = 0; i < checked.buffers.size(); ++i) {
      const Traffic& traffic = checked.lane->traffic[i];
      Verification one = checked.buffers[i].verify();
      one.moves_data = comm_access(traffic.shape, traffic.group).recv > 0;
      if (!one.ok()) return one;
      all.checked += one.checked;
    }
    return all;
  }

  std::unique_ptr<Runnable> runnable_;
  std::vector<Checked> lanes_;
};

// Rank 0 decides, from what one sequence of each lane takes alone.
std::vector<std::int64_t> calls_for_equal_time(CaseContext& context, CommSet& comms,
                                               const std::vector<GroupLane>& lanes,
                                               std::int64_t least,
                                               const std::vector<std::int64_t>& most) {
  if (context.options.verify_only) return std::vector(lanes.size(), least);
  const std::vector<std::int64_t> once(lanes.size(), 1);
  std::vector<double> seconds;
  for (const std::size_t lane : every(lanes)) {
    LanesRun alone(context, comms, lanes, {lane}, once);
    alone.fill();
    seconds.push_back(typical_seconds(context.control, alone.runnable()));
  }
  double longest = 0;
  for (const double one : seconds) longest = std::max(longest, one);
  const double target = std::max(kSampleSeconds, static_cast<double>(least) * longest);
  std::vector<std::int64_t> calls;
  for (std::size_t lane = 0; lane < lanes.size(); ++lane) {
    calls.push_back(
        std::max(least, decided_count(context.control, target / seconds[lane], most[lane])));
  }
  return calls;
}

void sample_together(Record& record, CaseContext& context, const std::vector<GroupLane>& lanes,
                     Runnable& together) {
  std::map<std::string, std::vector<double>> by_lane;
  const Program& program = together.program();
  const std::vector<int> calls = sample_into(record, context, [&] {
    together.run_traced();
    const Timeline timeline = together.timeline();
    for (const GroupLane& lane : lanes) {
      by_lane[lane.group.axis].push_back(extent_s(program, timeline, lane.group.axis));
    }
    return extent_s(program, timeline);
  });
  for (const GroupLane& lane : lanes) {
    const std::string& name = lane.group.axis;
    add_side_series(record, context, name + facts::groups::kTogetherSOf, by_lane[name], calls);
  }
}

}  // namespace

Program program_of_lanes(const Control& control, const std::vector<GroupLane>& lanes) {
  return program_of(control, lanes, every(lanes), std::vector<std::int64_t>(lanes.size(), 1));
}

void measure_lanes(Record& record, CaseContext& context, const std::vector<GroupLane>& lanes,
                   std::int64_t least_calls, const std::vector<std::int64_t>& most_calls) {
  const auto comms = make_comm_set(context.world, program_of_lanes(context.control, lanes));
  add_comm_facts(record, comms->of(lanes.front().group.axis).facts());
  const std::vector<std::int64_t> calls =
      calls_for_equal_time(context, *comms, lanes, least_calls, most_calls);
  {
    LanesRun together(context, *comms, lanes, every(lanes), calls);
    if (!together.check(record, context, "together before timing", /*fresh=*/true)) return;
    const StopRule rule = context.rule;
    context.rule = share_of(rule, kTogetherShare);
    sample_together(record, context, lanes, together.runnable());
    context.rule = rule;
    if (!together.check(record, context, "together after timing", /*fresh=*/false)) return;
  }
  const double share = (1.0 - kTogetherShare) / static_cast<double>(lanes.size());
  for (const std::size_t lane : every(lanes)) {
    const std::string& name = lanes[lane].group.axis;
    LanesRun alone(context, *comms, lanes, {lane}, calls);
    alone.fill();
    sample_series(record, context, name + facts::groups::kAloneSOf, share_of(context.rule, share),
                  [&] {
                    alone.runnable().run_traced();
                    return extent_s(alone.runnable().program(), alone.runnable().timeline());
                  });
    record.numbers.emplace_back(name + facts::groups::kCallsOf, static_cast<double>(calls[lane]));
    if (!alone.check(record, context, "alone after timing", /*fresh=*/false)) return;
  }
}

}  // namespace stepmark
