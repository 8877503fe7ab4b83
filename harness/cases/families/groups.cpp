// SPDX-License-Identifier: Apache-2.0
// Family `groups`: the groups along every axis of a plan active at the same time, each with its own
// collective and size, as in a real step; beside it every axis alone, with the same calls. Typed in
// a suite, or taken from the program of a workload's plan.
#include "harness/cases/families/groups.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>

#include "core/error.h"
#include "core/units.h"
#include "harness/cases/common.h"
#include "harness/cases/entry_yaml.h"
#include "harness/cases/families/step.h"
#include "harness/cases/family.h"
#include "harness/cases/group_lanes.h"
#include "harness/cases/plan_traffic.h"
#include "harness/program/step.h"
#include "harness/spec/forms.h"
#include "harness/spec/step_groups.h"
#include "results/families/groups.h"
#include "results/record/common_facts.h"

namespace stepmark {
namespace {

std::string traffic_name(const GroupsEntry& entry) {
  std::string what;
  for (const AxisTraffic& axis : entry.traffic) {
    what += fmt::format("{}{}.{}.{}", what.empty() ? "" : "+", axis.axis, name_of(axis.kind),
                        exact_bytes(axis.bytes));
  }
  return fmt::format("{}/{}", what, name_of(entry.dtype));
}

void describe_world(Record& record, const CaseContext& context, std::size_t axes) {
  record.texts.emplace_back(facts::kMode, "back-to-back");
  record.texts.emplace_back(facts::kLibrary, std::string(context.world.backend()));
  record.numbers.emplace_back(facts::kRanks, context.control.size());
  if (axes < 2) record.labels.emplace_back("one axis only: nothing else is at work beside it");
}

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
    std::vector<GroupLane> lanes;
    for (std::size_t axis = 0; axis < entry_.traffic.size(); ++axis) {
      const Traffic traffic = traffic_of(context, axis);
      lanes.push_back({.group = traffic.group, .traffic = {traffic}, .calls = {{}}});
    }
    describe(record, context, lanes);
    measure_lanes(record, context, lanes, entry_.calls,
                  std::vector<std::int64_t>(lanes.size(), kMostLaneCalls));
    return record;
  }

 private:
  [[nodiscard]] Traffic traffic_of(const CaseContext& context, std::size_t axis) const {
    const AxisTraffic& what = entry_.traffic[axis];
    const std::int32_t rank = context.control.rank();
    // Another axis, other data: what arrives over the wrong group is wrong.
    return make_traffic({.axis = what.axis,
                         .ranks = mesh_.group(rank, what.axis),
                         .index = mesh_.coordinate(rank, what.axis)},
                        what.kind, entry_.dtype, what.bytes, context.seed + axis);
  }

  void describe(Record& record, const CaseContext& context,
                const std::vector<GroupLane>& lanes) const {
    std::vector<std::string> axes;
    for (const GroupLane& lane : lanes) {
      const std::string& axis = axes.emplace_back(lane.group.axis);
      const Traffic& traffic = lane.traffic.front();
      record.texts.emplace_back(axis + facts::groups::kOpOf,
                                std::string(name_of(traffic.collective->kind)));
      record.numbers.emplace_back(axis + facts::groups::kRanksOf, traffic.ranks());
      record.numbers.emplace_back(axis + facts::groups::kSizeBytesOf,
                                  static_cast<double>(traffic.sizes.size_bytes));
    }
    record.texts.emplace_back(facts::kTitle, fmt::format("{} {}", degrees_, name_of(entry_.dtype)));
    record.texts.emplace_back(facts::groups::kAxes, fmt::format("{}", fmt::join(axes, ",")));
    record.texts.emplace_back(facts::kDtype, std::string(name_of(entry_.dtype)));
    describe_world(record, context, axes.size());
  }

  GroupsEntry entry_;
  Mesh mesh_;
  std::string degrees_;
  std::string id_;
};

// What the program of a plan has its groups say, without what is computed in between.
class PlanGroupsCase final : public Case {
 public:
  PlanGroupsCase(const Workload& workload, Plan plan, std::int64_t calls)
      : workload_(workload.name),
        model_(sliced(workload.model, plan)),
        plan_(std::move(plan)),
        calls_(calls),
        title_(fmt::format("{}/{}", workload_, short_name(plan_))),
        id_("groups/" + title_) {}

  [[nodiscard]] const std::string& id() const override { return id_; }
  [[nodiscard]] std::string_view family() const override { return facts::groups::kFamily; }
  [[nodiscard]] double weight() const override { return 3.0; }
  [[nodiscard]] std::string definition() const override {
    return fmt::format("groups/{}/{}/calls{}", workload_, to_text(plan_), calls_);
  }

  [[nodiscard]] Record run(CaseContext& context) override {
    const Program program =
        step_program(model_, plan_, context.control.rank(), context.executor.device().traits());
    const PlanTraffic traffic = traffic_of_plan(context.control, program, context.seed);
    Record record;
    describe(record, context, traffic);
    const auto not_measured = [&](std::string reason) {
      record.outcome = Outcome::not_measured;
      record.reason = std::move(reason);
      return record;
    };
    if (!traffic.problem.empty()) return not_measured(traffic.problem);
    if (traffic.lanes.empty()) return not_measured("the ranks of the plan do not talk");
    const auto own =
        static_cast<double>(memory_bytes(program_of_lanes(context.control, traffic.lanes)));
    const double needed =
        max_over_ranks(context.control, own) * static_cast<double>(context.control.local_size());
    const auto limit = static_cast<double>(context.memory_limit_bytes);
    if (limit > 0 && needed > limit) {
      const auto [need, have] = format_bytes_alike(needed, limit);
      return not_measured(
          fmt::format("buffers of all its different calls need {} on a host that has {}; run a "
                      "slice: fewer layers in the plan",
                      need, have));
    }
    measure_lanes(record, context, traffic.lanes, calls_, most_calls(traffic));
    return record;
  }

 private:
  // A step has many calls; programs stay small enough to be captured as one graph.
  static std::vector<std::int64_t> most_calls(const PlanTraffic& traffic) {
    constexpr std::uint64_t kMostOps = 4096;  // of a lane
    std::vector<std::int64_t> most;
    for (const GroupTraffic& group : traffic.groups) {
      const std::uint64_t steps =
          std::max<std::uint64_t>(1, kMostOps / static_cast<std::uint64_t>(group.calls));
      most.push_back(std::min(kMostLaneCalls, static_cast<std::int64_t>(std::bit_floor(steps))));
    }
    return most;
  }

  void describe(Record& record, const CaseContext& context, const PlanTraffic& traffic) const {
    std::vector<std::string> names;
    for (const GroupTraffic& group : traffic.groups) {
      const std::string& name = names.emplace_back(group.group);
      record.texts.emplace_back(name + facts::groups::kOpOf, group.ops);
      const auto add = [&](const char* what, double value) {
        record.numbers.emplace_back(name + what, value);
      };
      add(facts::groups::kRanksOf, static_cast<double>(group.ranks));
      add(facts::groups::kSizeBytesOf, group.size_bytes);
      add(facts::groups::kOpsOf, static_cast<double>(group.calls));
      add(facts::groups::kBusBytesOf, group.bus_bytes);
    }
    record.texts.emplace_back(facts::kTitle, title_);
    record.texts.emplace_back(facts::groups::kAxes, fmt::format("{}", fmt::join(names, ",")));
    record.texts.emplace_back(facts::groups::kWorkload, workload_);
    record.texts.emplace_back(facts::groups::kPlan, to_text(plan_));
    record.texts.emplace_back(facts::kDtype, std::string(name_of(plan_.precision)));
    describe_world(record, context, names.size());
  }

  std::string workload_;
  Model model_;
  Plan plan_;
  std::int64_t calls_;
  std::string title_;
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

void PlanGroupsEntry::expand(const SuiteWorld& world, Expansion& expansion) const {
  expand_legal_plan(
      facts::groups::kFamily, of, world, expansion,
      [&](const Workload& workload, const Plan& plan) {
        const bool talk = !StepGroups(sliced(workload.model, plan), plan).names().empty();
        if (talk) {
          expansion.cases.push_back(std::make_unique<PlanGroupsCase>(workload, plan, calls));
          return;
        }
        expansion.remarks.push_back(fmt::format("no groups of {}/{}: ranks do not talk at all",
                                                workload.name, short_name(plan)));
      });
}

SuiteEntry read_groups_entry(YamlMap& map) {
  if (map.has("workload")) {
    refuse_typed(map, "workload", {"traffic", "dtype"});
    PlanGroupsEntry of_plan{.of = read_workload_plans(map)};
    of_plan.calls = map.optional_int("calls", of_plan.calls, {.min = 1, .max = 1000});
    return of_plan;
  }
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
