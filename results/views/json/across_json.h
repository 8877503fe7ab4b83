// SPDX-License-Identifier: Apache-2.0
// Providers against each other as JSON: docs/file-formats.md.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <span>
#include <string>

#include "results/across/across.h"

namespace stepmark {

[[nodiscard]] nlohmann::json to_json(const Across& across);
// What these providers ask: {name, currency, today, providers: [{provider, terms: [{kind,
// per_gpu_hour, goodput, region, verified, date, source}]}]}.
[[nodiscard]] nlohmann::json prices_json(const PriceFile& file, std::chrono::sys_days today,
                                         std::span<const std::string> of);

}  // namespace stepmark
