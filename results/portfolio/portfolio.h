// SPDX-License-Identifier: Apache-2.0
// From a mix, prices and measured rates to what to buy: the cheapest allocation, what of it is
// decided by the measurements, what one more node or a lower price is worth, and what it costs to
// stay with one provider.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "results/portfolio/allocation.h"

namespace stepmark {

// Whether a workload moves from where it runs now.
struct PortfolioMove {
  bool wanted = false;   // by the medians
  bool decided = false;  // in 95 % of the resampled rates it saves money
  // One of the rates that it depends on has no interval: never decided.
  bool without_interval = false;
  // Of cost per month, keeping it where it is less letting it go where the cheapest allocation has
  // it: median of the resampled rates and the bounds between which 95 % of them are.
  double saving = 0, lower = 0, upper = 0;
  double probability = 0;  // that it saves
};

struct ProviderWorth {
  // What the cheapest allocation costs less per month with one more node; 0: none is missing.
  double one_more_node = 0;
  // What it costs to have everything here; nothing: it cannot be, alone_why says why.
  std::optional<double> alone;
  std::string alone_why;
  // Of a provider that the cheapest allocation does not use: the price per GPU-hour below which it
  // would be, to a thousandth of its price; nothing: at none, or it is used.
  std::optional<double> used_below;
};

struct Portfolio {
  Allocation cheapest;  // by the medians
  // With workloads that have a place and whose move is not decided left there: what to do.
  Allocation advised;
  // Cost per month of `advised` over the resampled rates: bounds of 95 %.
  double lower = 0, upper = 0;
  std::optional<double> now;  // cost where every workload has a place today and it is possible
  std::vector<PortfolioMove> moves;  // [workloads]; of those without a place: not wanted
  std::vector<ProviderWorth> worth;  // [providers]
};

inline constexpr int kPortfolioSamples = 1000;
inline constexpr double kDecidedShare = 0.95;
inline constexpr std::uint64_t kPortfolioSeed = 1;

// What rates are resampled with, in thousandths of a standard deviation: [sample][workload]
// [provider] in one row, 0 where there is no rate. Whole thousandths, so that a page that solves
// the mix again has the very same draws and decides no other way.
[[nodiscard]] std::vector<int> portfolio_draws(const PortfolioProblem& problem,
                                               std::uint64_t seed = kPortfolioSeed);

// Rates are resampled log-normally from their intervals, independently, from a fixed seed: the same
// problem gives the same answer. Where `cheapest.why` is not empty nothing else is filled.
[[nodiscard]] Portfolio analyse(const PortfolioProblem& problem,
                                std::uint64_t seed = kPortfolioSeed);

}  // namespace stepmark
