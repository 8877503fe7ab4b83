// SPDX-License-Identifier: Apache-2.0
// What a change of a step costs as JSON: docs/file-formats.md.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>

#include "results/across/change_cost.h"

namespace stepmark {

[[nodiscard]] nlohmann::json change_costs_json(std::span<const ChangeCost> costs);

}  // namespace stepmark
