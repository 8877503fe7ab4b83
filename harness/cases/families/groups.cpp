// SPDX-License-Identifier: Apache-2.0
// Family `groups`: the groups along every axis of a plan active at the same time, each with its own
// collective and size, as in a real step; beside it every axis alone, with the same calls.
#include "harness/cases/families/groups.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"
#include "core/units.h"
#include "harness/cases/common.h"
#include "harness/cases/entry_yaml.h"
#include "harness/cases/family.h"
#include "harness/cases/group_lanes.h"
#include "harness/spec/forms.h"
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
