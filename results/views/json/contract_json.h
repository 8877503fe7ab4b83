// SPDX-License-Identifier: Apache-2.0
// Contracts as JSON: docs/contract.md says what the keys mean.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "results/contract/check.h"
#include "results/contract/credits.h"

namespace stepmark {

[[nodiscard]] nlohmann::json to_json(const ContractCheck& check);
// One floor, with the samples of every run.
[[nodiscard]] nlohmann::json explanation_json(const FloorResult& result);
[[nodiscard]] nlohmann::json to_json(const CreditsOwed& credits);

}  // namespace stepmark
