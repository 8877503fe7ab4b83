// SPDX-License-Identifier: Apache-2.0
// What `plan` says of activations: what a layer keeps for its backward pass, and what is computed
// again instead.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "harness/program/program.h"
#include "harness/spec/plan.h"

namespace stepmark {

// `program` is the plan's, of a rank of which `in_flight` sets of activations are in use at a time.
[[nodiscard]] std::string activations_text(const Plan& plan, const Program& program,
                                           std::int32_t in_flight);
[[nodiscard]] nlohmann::json activations_json(const Plan& plan, const Program& program);

}  // namespace stepmark
