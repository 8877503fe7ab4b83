// SPDX-License-Identifier: Apache-2.0
// Is a parallel step the same computation as one rank alone? Rank 0 runs the one-rank program of
// the same global batch and sends its gradients to all; every rank compares its own shards.
#pragma once

#include "harness/cases/case.h"
#include "harness/exec/step_state.h"

namespace stepmark {

struct StepAgreement {
  bool checked = false;
  double loss_error = 0;      // relative
  double gradient_error = 0;  // largest over parameters and ranks, relative 2-norms
  double tolerance = 0;
  std::string why_not;  // when not checked
  [[nodiscard]] bool ok() const {
    return !checked || (loss_error <= tolerance && gradient_error <= tolerance);
  }
};

// `state` has run exactly one step from its initial values. Collective over the world. Not checked
// when the one-rank program would not fit beside what is allocated.
[[nodiscard]] StepAgreement compare_with_one_rank(CaseContext& context, const Model& model,
                                                  const Plan& plan, const StepState& state,
                                                  std::int64_t allocated_bytes);

// The same as a check of the record, or a label that says why it was not made; false when it
// failed.
[[nodiscard]] bool check_against_one_rank(Record& record, CaseContext& context, const Model& model,
                                          const Plan& plan, const StepState& state,
                                          std::int64_t allocated_bytes);

// Whether ranks that hold the same parameters hold the same bytes, or which do not (empty: all do).
// Collective over the world.
[[nodiscard]] std::string replicas_that_differ(CaseContext& context, const StepState& state);

// What padding, and the room between parameters, holds in parameters, gradients and optimizer
// state, largest absolute value over ranks: 0, or it has taken part in the step. Collective over
// the world.
[[nodiscard]] double largest_padding(CaseContext& context, const StepState& state);

}  // namespace stepmark
