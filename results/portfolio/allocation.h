// SPDX-License-Identifier: Apache-2.0
// The cheapest way to train a mix: a mixed-integer linear programme, solved by GLPK. Variables are
// the tokens of each workload at each provider, the GPU-hours that each provider is paid for, and
// whether it is used at all. Constraints: every workload gets its tokens; paid hours cover used
// ones and, of a provider that is used (or committed to), the minimum for the month; what is due by
// a day fits into the provider's GPUs until that day.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "results/portfolio/mix.h"

namespace stepmark {

// Tokens per second and GPU, median and bounds of its 95 % interval; without bounds (0) it is of
// one run, and nobody knows what another would give.
struct PortfolioRate {
  double median = 0, lower = 0, upper = 0;
  [[nodiscard]] bool has_interval() const { return lower > 0 && upper >= lower; }
};

// Indices are those of the mix.
struct PortfolioProblem {
  Mix mix;
  std::vector<double> price_per_gpu_hour;                        // [providers]
  std::vector<std::vector<std::optional<PortfolioRate>>> rates;  // [workloads][providers]
  // Share of paid time that advances a job; goodput of the price file. [providers]
  std::vector<double> goodput;
};

struct Allocation {
  std::string why;  // not empty: there is none
  double cost_per_month = 0;
  std::vector<std::vector<double>> share;  // [workloads][providers], of its tokens; sums to 1
  std::vector<double> gpu_hours;           // [providers], used
  std::vector<double> paid_gpu_hours;      // [providers]
};

// Not every provider, and not every workload free to move.
struct Restrictions {
  std::vector<bool> closed = {};                      // [providers]; empty: none
  std::vector<std::optional<std::size_t>> held = {};  // [workloads]: at this provider; empty: none
};

// Uses medians. A workload runs at a provider only where it has a rate and `may_run_on` lets it.
[[nodiscard]] Allocation cheapest(const PortfolioProblem& problem, const Restrictions& with = {});

// What an allocation's shares cost at other rates (tokens per second and GPU,
// [workloads][providers]); deadlines are not looked at.
[[nodiscard]] double cost_of(const PortfolioProblem& problem, const Allocation& allocation,
                             const std::vector<std::vector<double>>& rates);

}  // namespace stepmark
