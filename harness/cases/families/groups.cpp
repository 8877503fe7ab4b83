// SPDX-License-Identifier: Apache-2.0
// Family `groups`: the groups along every axis of a plan active at the same time, each with its own
// collective and size, as in a real step; beside it every axis alone, with the same calls. Each
// axis has a stream and calls back to back for about the same time, so that they meet throughout.
// Times are those between the events around an axis' calls.
#include "harness/cases/families/groups.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/error.h"
#include "core/units.h"
#include "harness/cases/common.h"
#include "harness/cases/concurrent.h"
#include "harness/cases/entry_yaml.h"
#include "harness/cases/family.h"
#include "harness/program/step.h"
#include "harness/spec/forms.h"
#include "results/families/groups.h"
#include "results/record/common_facts.h"

namespace stepmark {
namespace {

constexpr double kSampleSeconds = 1e-3;
constexpr std::int64_t kMaxCalls = 512;
constexpr double kTogetherShare = 0.5;  // of the budget; the axes alone share the rest

std::string traffic_name(const GroupsEntry& entry) {
  std::string what;
  for (const AxisTraffic& axis : entry.traffic) {
    what += fmt::format("{}{}.{}.{}", what.empty() ? "" : "+", axis.axis, name_of(axis.kind),
                        exact_bytes(axis.bytes));
  }
  return fmt::format("{}/{}", what, name_of(entry.dtype));
}

// A program of one or all axes, prepared, and each axis' buffers in it.
struct Prepared {
  std::unique_ptr<Runnable> runnable;
  std::vector<Traffic> traffic;
  std::vector<CollectiveBuffers> buffers;

  void fill_all() {
    for (CollectiveBuffers& one : buffers) one.fill();
  }
};

class GroupsCase final : public Case {
 public:
  GroupsCase(GroupsEntry entry, const Plan& plan)
      : entry_(std::move(entry)), mesh_(step_mesh(plan)), degrees_(degrees_text(plan, "=", " ")) {
    std::erase_if(entry_.traffic,
                  [&](const AxisTraffic& axis) { return mesh_.degree(axis.axis) < 2; });
    id_ = fmt::format("groups/{}/{}", degrees_text(plan, "", "."), traffic_name(entry_));
  }

  [[nodiscard]] const std::string& id() const override { return id_; }
  [[nodiscard]] std::string_view family() const override { return facts::groups::kFamily; }
  [[nodiscard]] double weight() const override { return 3.0; }
  [[nodiscard]] std::string definition() const override {
    return fmt::format("{}/calls{}", id_, entry_.calls);
  }
  [[nodiscard]] bool empty() const { return entry_.traffic.empty(); }
  // An axis whose size leaves its ranks without an element.
  [[nodiscard]] const AxisTraffic* without_elements() const {
    for (const AxisTraffic& axis : entry_.traffic) {
      const CollectiveSetup setup{.size_bytes = axis.bytes, .dtype = entry_.dtype};
      if (collective(axis.kind).sizes(setup, mesh_.degree(axis.axis)).verb_count == 0) return &axis;
    }
    return nullptr;
  }

  [[nodiscard]] Record run(CaseContext& context) override {
    Record record;
    std::vector<std::int64_t> calls(entry_.traffic.size(), 1);
    const std::vector<std::size_t> every = all_axes();
    const auto comms = make_comm_set(context.world, program_of(context, every, calls));
    describe(record, context);
    add_comm_facts(record, comms->of(entry_.traffic.front().axis).facts());
    calls = calls_for_equal_time(context, *comms);

    Prepared together = prepare(context, *comms, every, calls);
    if (!check(record, context, together, "together before timing", /*fresh=*/true)) return record;
    const StopRule rule = context.rule;
    context.rule = share_of(rule, kTogetherShare);
    sample_together(record, context, together);
    context.rule = rule;
    if (!check(record, context, together, "together after timing", /*fresh=*/false)) return record;
    together = {};

    for (const std::size_t axis : every) {
      const std::string name = entry_.traffic[axis].axis;
      Prepared alone = prepare(context, *comms, {axis}, calls);
      alone.fill_all();
      sample_series(record, context, name + facts::groups::kAloneSOf,
                    share_of(rule, (1.0 - kTogetherShare) / static_cast<double>(every.size())),
                    [&] {
                      alone.runnable->run_traced();
                      return extent_s(alone.runnable->program(), alone.runnable->timeline());
                    });
      record.numbers.emplace_back(name + facts::groups::kCallsOf, static_cast<double>(calls[axis]));
      record.numbers.emplace_back(name + facts::groups::kSizeBytesOf,
                                  static_cast<double>(alone.traffic[0].sizes.size_bytes));
      if (!check(record, context, alone, "alone after timing", /*fresh=*/false)) return record;
    }
    return record;
  }

 private:
  [[nodiscard]] std::vector<std::size_t> all_axes() const {
    std::vector<std::size_t> axes(entry_.traffic.size());
    for (std::size_t i = 0; i < axes.size(); ++i) axes[i] = i;
    return axes;
  }

  [[nodiscard]] Traffic traffic_of(const CaseContext& context, std::size_t axis) const {
    const AxisTraffic& what = entry_.traffic[axis];
    const std::int32_t rank = context.control.rank();
    // Another axis, other data: what arrives over the wrong group is wrong.
    return make_traffic({.axis = what.axis,
                         .ranks = mesh_.group(rank, what.axis),
                         .index = mesh_.coordinate(rank, what.axis)},
                        what.kind, entry_.dtype, what.bytes, context.seed + axis);
  }

  [[nodiscard]] Program program_of(const CaseContext& context, const std::vector<std::size_t>& axes,
                                   const std::vector<std::int64_t>& calls) const {
    ProgramBuilder builder("groups", context.control.rank(), context.control.size());
    std::vector<Lane> lanes;
    for (const std::size_t axis : axes) {
      const Traffic traffic = traffic_of(context, axis);
      const std::string& name = traffic.group.axis;
      builder.add_group(traffic.group);
      const TrafficOperands on = add_buffers(builder, traffic, name);
      lanes.push_back({.stream = name,
                       .calls = calls[axis],
                       .add = [name, on, shape = traffic.shape](ProgramBuilder& program) {
                         program.comm(name, name, shape, on.send, on.recv);
                       }});
    }
    interleave(builder, lanes);
    return std::move(builder).take();
  }

  [[nodiscard]] Prepared prepare(CaseContext& context, CommSet& comms,
                                 const std::vector<std::size_t>& axes,
                                 const std::vector<std::int64_t>& calls) const {
    Prepared prepared{.runnable = context.executor.prepare(program_of(context, axes, calls), comms,
                                                           {.capture = !context.options.eager}),
                      .traffic = {},
                      .buffers = {}};
    for (const std::size_t axis : axes) {
      const Traffic& traffic = prepared.traffic.emplace_back(traffic_of(context, axis));
      const std::string& name = traffic.group.axis;
      prepared.buffers.push_back(
          buffers_of(context.executor.device(), traffic, *prepared.runnable, name, comms.of(name)));
    }
    return prepared;
  }

  // Rank 0 decides, from what one call of each axis takes alone.
  [[nodiscard]] std::vector<std::int64_t> calls_for_equal_time(CaseContext& context,
                                                               CommSet& comms) const {
    if (context.options.verify_only) return std::vector(entry_.traffic.size(), entry_.calls);
    const std::vector<std::int64_t> once(entry_.traffic.size(), 1);
    std::vector<double> seconds;
    for (const std::size_t axis : all_axes()) {
      Prepared alone = prepare(context, comms, {axis}, once);
      alone.fill_all();
      seconds.push_back(typical_seconds(context.control, *alone.runnable));
    }
    const double longest = *std::max_element(seconds.begin(), seconds.end());
    const double target = std::max(kSampleSeconds, static_cast<double>(entry_.calls) * longest);
    std::vector<std::int64_t> calls;
    for (const double one : seconds) {
      calls.push_back(
          std::max(entry_.calls, decided_count(context.control, target / one, kMaxCalls)));
    }
    return calls;
  }

  void sample_together(Record& record, CaseContext& context, Prepared& together) const {
    std::map<std::string, std::vector<double>> by_axis;
    const Program& program = together.runnable->program();
    const std::vector<int> calls = sample_into(record, context, [&] {
      together.runnable->run_traced();
      const Timeline timeline = together.runnable->timeline();
      for (const AxisTraffic& axis : entry_.traffic) {
        by_axis[axis.axis].push_back(extent_s(program, timeline, axis.axis));
      }
      return extent_s(program, timeline);
    });
    for (const AxisTraffic& axis : entry_.traffic) {
      add_side_series(record, context, axis.axis + facts::groups::kTogetherSOf, by_axis[axis.axis],
                      calls);
    }
  }

  // fresh: on poisoned buffers after one run; else what the timed runs left.
  bool check(Record& record, CaseContext& context, Prepared& prepared, const std::string& when,
             bool fresh) const {
    if (fresh) {
      prepared.fill_all();
      context.control.barrier();
      prepared.runnable->run_traced();
    }
    for (std::size_t i = 0; i < prepared.traffic.size(); ++i) {
      const std::string name =
          fmt::format("{}: every element exact {}", prepared.traffic[i].group.axis, when);
      if (!add_verification(record, context.control, name, prepared.buffers[i].verify())) {
        return false;
      }
    }
    return true;
  }

  void describe(Record& record, const CaseContext& context) const {
    std::vector<std::string> axes;
    for (const AxisTraffic& axis : entry_.traffic) {
      axes.push_back(axis.axis);
      record.texts.emplace_back(axis.axis + facts::groups::kOpOf, std::string(name_of(axis.kind)));
      record.numbers.emplace_back(axis.axis + facts::groups::kRanksOf, mesh_.degree(axis.axis));
    }
    record.texts.emplace_back(facts::kTitle, fmt::format("{} {}", degrees_, name_of(entry_.dtype)));
    record.texts.emplace_back(facts::groups::kAxes, fmt::format("{}", fmt::join(axes, ",")));
    record.texts.emplace_back(facts::kDtype, std::string(name_of(entry_.dtype)));
    record.texts.emplace_back(facts::kMode, "back-to-back");
    record.texts.emplace_back(facts::kLibrary, std::string(context.world.backend()));
    record.numbers.emplace_back(facts::kRanks, context.control.size());
    if (axes.size() < 2) {
      record.labels.emplace_back("one axis only: nothing else is at work beside it");
    }
  }

  GroupsEntry entry_;
  Mesh mesh_;
  std::string degrees_;
  std::string id_;
};

}  // namespace

void GroupsEntry::expand(const SuiteWorld& world, Expansion& expansion) const {
  const std::string skipped_id = fmt::format("groups/{}/{}", plans.front(), traffic_name(*this));
  const auto skip = [&](const std::string& reason) {
    expansion.cases.push_back(make_skipped_case(skipped_id, facts::groups::kFamily, reason));
  };
  if (world.size == 1) return skip("needs at least 2 ranks");
  std::string reasons;
  for (const std::string& text : plans) {
    const Plan plan = filled(parse_plan(text), world.size);
    std::string reason;
    if (plan.ranks() != world.size) {
      reason = fmt::format("needs {} ranks", plan.ranks());
    } else if (auto one = std::make_unique<GroupsCase>(*this, plan); one->empty()) {
      reason = "no axis with traffic has more than one rank";
    } else if (const AxisTraffic* axis = one->without_elements(); axis != nullptr) {
      expansion.remarks.push_back(fmt::format("{}: no element in {} of {}: dropped", one->id(),
                                              exact_bytes(axis->bytes), name_of(axis->kind)));
      return;
    } else {
      expansion.cases.push_back(std::move(one));
      return;
    }
    reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", text, reason);
  }
  skip("no plan of the suite fits: " + reasons);
}

SuiteEntry read_groups_entry(YamlMap& map) {
  GroupsEntry entry;
  entry.plans = read_plans(map);
  if (entry.plans.empty()) map.fail("plan", "name at least one plan, as in [\"dp=2,tp=2\"]");
  YamlMap traffic = map.required_map("traffic");
  const Mesh mesh = step_mesh(filled({}, 1));
  for (const MeshAxis& axis : mesh.axes()) {
    std::optional<YamlMap> one = traffic.optional_map(axis.name);
    if (!one) continue;
    entry.traffic.push_back({.axis = axis.name,
                             .kind = collective_from(one->required_choice("op", kProgramVerbs)),
                             .bytes = value_at(*one, "bytes", "", parse_positive_bytes)});
    one->finish();
  }
  refuse_forms_not_built(traffic);
  traffic.finish();
  if (entry.traffic.empty())
    map.fail("traffic", "name what at least one axis does (tp, cp, dp, pp)");
  entry.dtype = read_dtype(map);
  entry.calls = map.optional_int("calls", entry.calls, {.min = 1, .max = 1000});
  return entry;
}

}  // namespace stepmark
