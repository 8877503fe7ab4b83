// SPDX-License-Identifier: Apache-2.0
// The plan that stands for a provider. The fastest of several measured ones looks faster than it is
// (winner's curse): it is chosen on runs that do not measure it, or the verdicts allow for all.
// Internal to results/across.
#pragma once

#include <span>
#include <vector>

#include "results/across/across.h"
#include "results/compare/case_statistics.h"

namespace stepmark {

struct PlanSamples {
  PlanTime plan;
  const Run* run = nullptr;  // one that has the record
  const Record* record = nullptr;
  Groups samples;  // [run of the provider][sample]; empty where it was not measured
};

// Of at least one plan.
[[nodiscard]] BestPlan best_plan(const std::string& provider, std::vector<PlanSamples> plans);

// Geometric mean of the runs' medians, with a 95 % interval of Student's t from two runs on.
[[nodiscard]] Measured time_of(const Groups& samples);
[[nodiscard]] int runs_in(const Groups& samples);

// Figures of a step of `record` that takes `step_s`.
[[nodiscard]] std::vector<Figure> plan_figures(const Record& record, const Measured& step_s);

}  // namespace stepmark
