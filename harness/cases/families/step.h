// SPDX-License-Identifier: Apache-2.0
// What a suite, or a command line, may ask of family `step`.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/cases/entry.h"
#include "harness/spec/plan.h"

namespace stepmark {

struct StepEntry {
  std::string workload;  // a name, or the path of a file (names_a_file)
  // The first that is legal for the world is run, so that one suite serves several rank counts.
  std::vector<std::string> plans;
  YamlPlace place = {};  // of `workload`; no file: from the command line
  [[nodiscard]] NamedWorkload named_workload() { return {workload, place}; }
  void expand(const SuiteWorld& world, Expansion& expansion) const;
};

// What an entry with several plans comes to in a world.
struct ChosenPlan {
  const Workload& workload;
  std::optional<Plan> plan;  // resolved
  std::string why_none;      // reasons of all plans, where none is legal
};
// The first of `plans` that is legal. Error(kUsage) for a workload that is not known, and for the
// only plan where that is not legal.
[[nodiscard]] ChosenPlan first_legal_plan(const std::string& workload,
                                          const std::vector<std::string>& plans,
                                          const SuiteWorld& world);

// Calls `add` with the workload and the first legal plan, or adds a case that is skipped with the
// reasons of all. Errors have the entry's place.
void expand_legal_plan(const std::string& family, const WorkloadPlans& of, const SuiteWorld& world,
                       Expansion& expansion,
                       const std::function<void(const Workload&, const Plan&)>& add);

// `plan` must be resolved for the world.
[[nodiscard]] std::unique_ptr<Case> make_step_case(const Workload& workload, const Plan& plan);

}  // namespace stepmark
