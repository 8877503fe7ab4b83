// SPDX-License-Identifier: Apache-2.0
// A step without the communication of one axis: how long it would take if that cost nothing, for
// the same kernels, buffers, streams and order. What it computes is not a training step.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "harness/program/program.h"
#include "harness/spec/model.h"
#include "harness/spec/plan.h"

namespace stepmark {

// Axes (axis_of) along which ranks of a step talk, in the order of its groups; none on one rank.
// `plan` must be resolved for `model`.
[[nodiscard]] std::vector<std::string> axes_of_step(const Model& model, const Plan& plan);

// Every transfer of the axis becomes a copy of no elements on the same stream, with the same
// dependencies. Its destination keeps what it held: zeros, where nothing else writes it. Groups
// stay, as making them is collective.
[[nodiscard]] Program without_axis(Program program, std::string_view axis);

}  // namespace stepmark
