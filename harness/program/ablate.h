// SPDX-License-Identifier: Apache-2.0
// A step without a part of what it does: the transfers of one axis, or of all, or its kernels. How
// long it would take if that cost nothing, for the same buffers, streams and order of the rest.
// What it computes is not a training step.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/program/program.h"
#include "harness/spec/model.h"
#include "harness/spec/plan.h"

namespace stepmark {

// What can be left out besides an axis.
inline constexpr std::string_view kAllCommunication = "communication", kAllCompute = "compute";
// Before the name of an axis: everything but its transfers.
inline constexpr std::string_view kAllBut = "all-but-";

// What can be left out of a step, each by itself: the axes (axis_of) along which its ranks talk, in
// the order of its groups; compute; where they talk along several axes, all communication, and all
// but each axis. Nothing on one rank. `plan` must be resolved for `model`.
[[nodiscard]] std::vector<std::string> parts_of_step(const Model& model, const Plan& plan);

// Every op of the part becomes a copy of no elements on the same stream, with the same
// dependencies. What it would have written keeps what it held: zeros, where nothing else writes it.
// Groups stay, as making them is collective.
[[nodiscard]] Program without_part(Program program, std::string_view part);
// The same of the ops that `leaves_out` names.
[[nodiscard]] Program without_ops(Program program,
                                  const std::function<bool(const Op&)>& leaves_out);

}  // namespace stepmark
