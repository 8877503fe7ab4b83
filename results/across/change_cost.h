// SPDX-License-Identifier: Apache-2.0
// What a like-for-like comparison's change of a step costs, at the prices of its sides. Intervals
// are those of the comparison's ratio and of the runs' times; prices are taken as exact.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "results/compare/compare.h"
#include "results/money/cost.h"
#include "results/money/prices.h"

namespace stepmark {

struct ChangeCost {
  std::string case_id;
  PriceKind kind = PriceKind::on_demand;
  double gpus = 0;
  std::optional<double> price_baseline, price_candidate;  // list, per GPU-hour
  std::optional<double> per_step_baseline, per_step_candidate;
  // The same work per month at the candidate's speed and price, less at the baseline's.
  Measured per_month;
  // List price at which the candidate costs per step what the baseline does.
  Measured break_even_candidate;
};

// Of all steps that both sides have a time of, by case and kind of price; without a price of the
// baseline there is no cost of the change. `providers`: of the baseline and the candidate.
// Error(kUsage) where the file has prices of neither, with the names that it has.
[[nodiscard]] std::vector<ChangeCost> change_costs(const SideComparison& comparison,
                                                   std::span<const RunSide> sides,
                                                   const std::array<std::string, 2>& providers,
                                                   const PriceFile& prices);

}  // namespace stepmark
