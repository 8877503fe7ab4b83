// SPDX-License-Identifier: Apache-2.0
// What a step comes to over all ranks, which differ: stages of a pipeline have other layers, sizes
// and neighbours, and the last one alone has the loss.
#pragma once

#include "core/control.h"
#include "harness/exec/step_state.h"
#include "harness/program/step_facts.h"

namespace stepmark {

// Memory and traffic are those of the rank with most, axis by axis; FLOPs of kernels and of padding
// the sums of all ranks. Collective.
[[nodiscard]] StepFacts over_ranks(Control& control, StepFacts own);

// Of the last step, on all ranks, whichever has it; NaN when it is not finite. Collective.
[[nodiscard]] double loss_of_step(Control& control, const StepState& state);

}  // namespace stepmark
