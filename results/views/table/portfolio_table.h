// SPDX-License-Identifier: Apache-2.0
// A portfolio for a terminal.
#pragma once

#include <string>

#include "results/portfolio/portfolio.h"

namespace stepmark {

// What to do and what it costs first; then workloads with where they go and why, and providers with
// what more of them, or a lower price, is worth. Amounts are in `currency` per month.
[[nodiscard]] std::string portfolio_table(const PortfolioProblem& problem,
                                          const Portfolio& portfolio, const std::string& currency);

}  // namespace stepmark
