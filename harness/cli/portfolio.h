// SPDX-License-Identifier: Apache-2.0
// A mix's problem from what `compare --across` found.
#pragma once

#include "results/across/across.h"
#include "results/portfolio/portfolio.h"

namespace stepmark {

// Rates are those of each provider's best plan of the workload's model; a provider without measured
// steps of it cannot run it. Error(kUsage) with file and line of the mix for a provider without a
// price of the mix's kind, and for a workload that was measured as several kinds of work.
[[nodiscard]] PortfolioProblem portfolio_problem(const Mix& mix, const Across& across,
                                                 const PriceFile& prices);

}  // namespace stepmark
