// SPDX-License-Identifier: Apache-2.0
// Figures of others as JSON for the page's scripts. Internal to results/views/report.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>

#include "results/record/journal.h"

namespace stepmark {

// [{family, case_id, texts, numbers, metrics: {name: value}, median}] of records_beside(): without
// what only a measured record has.
[[nodiscard]] nlohmann::json beside_json(std::span<const Run> runs);

}  // namespace stepmark
