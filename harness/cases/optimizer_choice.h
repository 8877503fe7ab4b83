// SPDX-License-Identifier: Apache-2.0
// Which form of the optimizer a step is timed with: AdamW after the backward pass, or beside it.
// The forms compute the same bit for bit; which is faster depends on the machine, so both run.
// Internal to harness/cases.
#pragma once

#include <memory>
#include <optional>

#include "harness/cases/case.h"
#include "harness/exec/executor.h"
#include "harness/spec/model.h"
#include "harness/spec/plan.h"

namespace stepmark {

// The program of a step, and for OptimizerOverlap::automatic its other form, which is tried.
struct StepForms {
  Program own;
  std::optional<Program> overlapped;
};
[[nodiscard]] StepForms forms_of(const Model& model, const Plan& plan, std::int32_t rank,
                                 const DeviceTraits& traits);

// A step whose buffers the caller fills before it runs.
struct PreparedStep {
  Program program;
  std::unique_ptr<Runnable> runnable;
  bool fresh = true;  // its buffers are zero: nothing has run
};

// The form that the plan asks for; for OptimizerOverlap::automatic the one that was faster here.
// Those steps count against the budget of `context` as warm-up does; where the budget has no room
// for them, and in runs that only verify, the serial form is taken. The overlapped form is taken
// when it was faster in every round of turns and by kGainWanted in the median, decided on rank 0.
// Records the form and why, and what the step does with the norm of the gradient. Collective.
// `comms` must outlive the result.
[[nodiscard]] PreparedStep prepare_step(Record& record, CaseContext& context, const Model& model,
                                        const Plan& plan, StepForms forms, CommSet& comms);

inline constexpr double kGainWanted = 0.01;

// Seconds of each form's steps, in rounds of serial, overlapped, overlapped, serial.
struct OptimizerTrial {
  std::vector<double> serial_s, overlapped_s;  // two of each per round
};
[[nodiscard]] bool overlapped_is_faster(const OptimizerTrial& trial);
// Rounds that fit into a quarter of `budget_s` when a step takes `step_s`: 0 to 5.
[[nodiscard]] int trial_rounds(double budget_s, double step_s);

}  // namespace stepmark
