// SPDX-License-Identifier: Apache-2.0
// Efficiency over the number of GPUs as JSON for the page. Internal to results/views/report.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "results/record/journal.h"

namespace stepmark {

// [{owner, model, weak, base_gpus, sizes: [{gpus, tokens, plan, plans, runs, step_s, tokens_per_s,
// efficiency: {value, lower, upper}}]}] of scaling_of().
[[nodiscard]] nlohmann::json scaling_json(std::span<const Run> runs,
                                          std::span<const std::string> owners);

}  // namespace stepmark
