// SPDX-License-Identifier: Apache-2.0
// Validation of a training step across its ranks without a program per rank of a large machine.
// A step repeats itself: data-parallel ranks of one tensor rank run the same program over groups of
// the same form, micro-steps after the first issue the same ops, and so do layers. What two of each
// do together, three micro-steps (first, middle, last) do, all do; tests compare the programs.
#pragma once

#include <cstdint>

#include "harness/program/step.h"

namespace stepmark {

// What was looked at. `whole`: all that there is.
struct StepValidation {
  std::int64_t ranks = 0;
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
// step_program().
StepValidation validate_step(const Model& model, const Plan& plan, const DeviceTraits& traits = {});

}  // namespace stepmark
