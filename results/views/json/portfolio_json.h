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

// The problem itself, for a page that solves it again: {samples, decided_share, hours_per_month,
// providers: [{provider, gpus, minimum_gpus, committed, gpus_per_node}], workloads: [{workload,
// tokens_per_month, deadline_days, may_run_on, now, rates: [{median, lower, upper} | null]}],
// draws: of portfolio_draws(), or null of more than kMostPagePairs workloads x providers}.
inline constexpr std::size_t kMostPagePairs = 400;  // 2 MB
[[nodiscard]] nlohmann::json portfolio_problem_json(const PortfolioProblem& problem);

}  // namespace stepmark
