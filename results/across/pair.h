// SPDX-License-Identifier: Apache-2.0
// Two providers against each other, over all works that both did. Internal to results/across.
#pragma once

#include <string>
#include <vector>

#include "results/across/across.h"

namespace stepmark {

// A work of both: their entries.
struct PairOfPlans {
  std::size_t work = 0;
  const BestPlan* a = nullptr;
  const BestPlan* b = nullptr;
};
// One verdict per entry; `pairs` of providers are judged altogether.
[[nodiscard]] std::vector<PairVerdict> judge_pair(const std::vector<PairOfPlans>& plans,
                                                  const AcrossOptions& options, std::size_t pairs);

// What a GPU-hour of a provider's entry costs, all in and per useful hour; nothing without a price.
struct GpuHour {
  double list = 0, extra = 0;
  double goodput = 1;            // that counts: 1 where not all providers state theirs
  std::optional<double> stated;  // by this one
  [[nodiscard]] double delivered() const { return (list + extra) / goodput; }
};
[[nodiscard]] std::optional<GpuHour> gpu_hour(const AcrossOptions& options, const BestPlan& plan,
                                              PriceKind kind);

}  // namespace stepmark
