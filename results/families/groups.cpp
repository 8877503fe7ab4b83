// SPDX-License-Identifier: Apache-2.0
// Family `groups`: what the groups along the axes of a plan cost each other. Figures of several
// series are computed from their medians; their intervals take the worst ends of every series'
// interval, which is wider than 95 %.
#include "results/families/groups.h"

#include <fmt/format.h>

#include <vector>

#include "results/families/family.h"
#include "results/families/figures.h"
#include "results/record/common_facts.h"

namespace stepmark {
namespace {

namespace names = facts::groups;

void derive_axis(Record& record, const std::string& axis) {
  const std::vector<std::string> series{axis + names::kAloneSOf, axis + names::kTogetherSOf};
  if (const std::string missing = first_missing(record, series); !missing.empty()) {
    for (const char* name : {"_alone", "_together"})
      add_broken(record, axis + name, "s", no_samples(missing));
    add_broken(record, axis + "_slowdown", "1", no_samples(missing));
    for (const char* name : {"_busbw_alone", "_busbw_together"})
      add_broken(record, axis + name, "GB/s", no_samples(missing));
    return;
  }
  const Summary alone = *record.summary(series[0]);
  const Summary together = *record.summary(series[1]);
  const Fact bytes =
      product(fact(record, axis + names::kSizeBytesOf), fact(record, axis + names::kCallsOf));
  add(record, duration(axis + "_alone", "s", 1.0, alone));
  add(record, duration(axis + "_together", "s", 1.0, together));
  add(record, slowdown(axis + "_slowdown", alone, together));
  const bool of_plan = record.number(axis + names::kBusBytesOf).has_value();
  for (const auto& [name, time] :
       {std::pair{"_busbw_alone", &alone}, {"_busbw_together", &together}}) {
    if (of_plan) {  // of several ops, each with a factor of its own
      const Fact on_bus =
          product(fact(record, axis + names::kBusBytesOf), fact(record, axis + names::kCallsOf));
      add_rate(record, axis + name, "GB/s", on_bus, 1e-9, *time, "moves no data");
      continue;
    }
    add_bus_bandwidth(record, axis + name, axis + names::kOpOf, axis + names::kRanksOf, bytes,
                      *time);
  }
}

void derive_groups(Record& record, const Summary& time) {
  add(record, duration("together", "s", 1.0, time));
  const std::vector<std::string> axes = list_of(record.text(names::kAxes));
  double one_after_the_other = 0;
  std::string missing =
      axes.empty() ? fmt::format("text '{}' names no axis", names::kAxes) : std::string();
  for (const std::string& axis : axes) {
    derive_axis(record, axis);
    const Summary* alone = usable_summary(record, axis + names::kAloneSOf);
    if (alone == nullptr) missing = no_samples(axis + names::kAloneSOf);
    one_after_the_other += alone == nullptr ? 0 : alone->median;
  }
  if (!missing.empty()) {
    add_broken(record, "against_sequential", "1", missing);
    return;
  }
  add(record, figure("against_sequential", "1", time.median / one_after_the_other,
                     "time together / sum of the times alone", false));
}

// A fact or metric of the row's axis.
std::string of_axis(const char* ending) { return std::string("{}") + ending; }

// What the axis does: "tp all_reduce 4 MiB", of a plan "tp all_reduce bf16 x 8 4 MiB".
std::vector<Value> traffic() {
  return {{From::item},
          {From::text, of_axis(names::kOpOf)},
          {From::number, of_axis(names::kSizeBytesOf), Show::bytes}};
}

Table table() {
  return {.heading = "Groups",
          .columns = {{"groups of", {{From::name}}, true},
                      {"each", traffic(), true},
                      {"alone", {{From::metric, of_axis("_alone"), Show::seconds}}},
                      {"together", {{From::metric, of_axis("_together"), Show::seconds}}},
                      {"slowdown", {{From::metric, of_axis("_slowdown")}}},
                      {"busbw GB/s", {{From::metric, of_axis("_busbw_alone")}}},
                      {"together", {{From::metric, of_axis("_busbw_together")}}},
                      {"check", {{From::checks}}, true},
                      {"note", {{From::remarks}}, true}}};
}

Section section() {
  return {.place = 3,
          .id = "concurrent",
          .heading = "At the same time",
          .hint =
              "Groups: collectives of all axes of a plan together, against each alone; of a "
              "workload those of its step, in the step's order, with their bytes per step.",
          .columns = {{"groups", {{From::name}}, true},
                      {"axis", traffic(), true},
                      {"alone", {{From::metric, of_axis("_alone"), Show::seconds}}},
                      {"together", {{From::metric, of_axis("_together"), Show::seconds}}},
                      {"slowdown", {{From::metric, of_axis("_slowdown")}}},
                      {"busbw GB/s", {{From::metric, of_axis("_busbw_alone")}}},
                      {"busbw together", {{From::metric, of_axis("_busbw_together")}}},
                      {"checks", {{From::checks}}}}};
}

}  // namespace

Family family_groups() {
  return {.name = names::kFamily,
          .derive = derive_groups,
          .items = names::kAxes,
          .same_numbers = {facts::kRanks, of_axis(names::kSizeBytesOf), of_axis(names::kCallsOf),
                           of_axis(names::kOpsOf), of_axis(names::kBusBytesOf)},
          .same_texts = {facts::kDtype, names::kAxes, facts::kMode, names::kWorkload, names::kPlan},
          .table = table(),
          .section = section()};
}

}  // namespace stepmark
