// SPDX-License-Identifier: Apache-2.0
// What a suite may ask of family `groups`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "core/metrics.h"
#include "harness/cases/entry.h"

namespace stepmark {

// What the groups along one axis of a plan do while those of the other axes are at it too.
struct AxisTraffic {
  std::string axis;  // "tp", "dp"
  CollectiveKind kind = CollectiveKind::all_reduce;
  std::int64_t bytes = 0;  // as nccl-tests counts
};

// Typed: each axis repeats one call.
struct GroupsEntry {
  // The first whose degrees fit the world is run; only dp and tp matter.
  std::vector<std::string> plans;
  std::vector<AxisTraffic> traffic;
  DType dtype = DType::f32;
  std::int64_t calls = 4;  // back to back, of the axis that takes longest; others fill its time
  // One case; skipped where no plan fits or nobody talks.
  void expand(const SuiteWorld& world, Expansion& expansion) const;
};

// All groups of a plan's step, each with the calls that its program issues there, in order.
struct PlanGroupsEntry {
  WorkloadPlans of;
  std::int64_t calls = 1;  // steps' worth, of the group that takes longest; others fill its time
  [[nodiscard]] NamedWorkload named_workload() { return {of.workload, of.place}; }
  // One case; skipped where no plan is legal, a remark where ranks do not talk.
  void expand(const SuiteWorld& world, Expansion& expansion) const;
};

}  // namespace stepmark
