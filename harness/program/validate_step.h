// SPDX-License-Identifier: Apache-2.0
// Validation of a training step across all of its ranks, however many: one program per role
// (step_roles.h). What makes a program too long to be kept is left out where it repeats:
// micro-steps after the first issue the same ops, and so do layers. What two layers do together,
// three micro-steps (first, middle, last) do, all do; tests compare the programs. In a pipeline it
// is two layers of each stage and three rounds of as many micro-steps as there are stages: its
// schedule begins, repeats and ends.
#pragma once

#include <cstdint>

#include "harness/program/step.h"

namespace stepmark {

// What was looked at. `whole`: all that there is.
struct StepValidation {
  std::int64_t ranks = 0;  // all
  std::int64_t roles = 0;
  std::int64_t micro_steps = 0;
  std::int64_t layers = 0;
  bool whole = false;
};

// The plan and the number of layers that stand for all of a step.
struct StepSample {
  Plan plan;
  Model model;
};
[[nodiscard]] StepSample sample_of(const Model& model, const Plan& plan);

// validate() over the programs of sample_of(); Error(kUsage) as there. The arguments are those of
// step_program(); `rank0` is what it returned for rank 0, where that is at hand.
StepValidation validate_step(const Model& model, const Plan& plan, const DeviceTraits& traits = {},
                             const Program* rank0 = nullptr);

}  // namespace stepmark
