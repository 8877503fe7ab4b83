// SPDX-License-Identifier: Apache-2.0
// A portfolio for programs.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "results/portfolio/portfolio.h"

namespace stepmark {

// {mix, currency, prices, why | cost_per_month, lower, upper, now, cheapest_per_month, workloads:
// [{workload, shares: {provider: share}, now, wanted, decided, without_interval, saving, lower,
// upper, probability}], providers: [{provider, price_per_gpu_hour, gpu_hours, paid_gpu_hours,
// one_more_node, used_below, alone, alone_why}]}
[[nodiscard]] nlohmann::json portfolio_json(const PortfolioProblem& problem,
                                            const Portfolio& portfolio,
                                            const std::string& currency);

}  // namespace stepmark
