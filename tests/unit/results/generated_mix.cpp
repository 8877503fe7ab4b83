// SPDX-License-Identifier: Apache-2.0
#include "generated_mix.h"

#include <fmt/format.h>

#include <cmath>
#include <string>

#include "core/rng.h"

namespace stepmark {
PortfolioProblem generated_mix(std::uint64_t seed) {
  const Philox random(seed, 1);
  std::uint64_t next = 0;
  const auto between = [&](double low, double high) {
    return low + (high - low) * random.uniform(next++);
  };
  PortfolioProblem out;
  const std::size_t providers = 2 + static_cast<std::size_t>(between(0, 4));
  const std::size_t workloads = 1 + static_cast<std::size_t>(between(0, 6));
  for (std::size_t p = 0; p < providers; ++p) {
    MixProvider one{.provider = fmt::format("p{}", p), .gpus = std::round(between(60, 400))};
    if (between(0, 1) < 0.4) one.minimum_gpus = std::round(one.gpus * between(0.1, 0.6));
    one.committed = one.minimum_gpus > 0 && between(0, 1) < 0.4;
    out.mix.providers.push_back(one);
    out.price_per_gpu_hour.push_back(between(1.5, 4));
    out.goodput.push_back(between(0.8, 1));
  }
  for (std::size_t w = 0; w < workloads; ++w) {
    MixWorkload one{.workload = fmt::format("w{}", w), .tokens_per_month = between(1e10, 1.2e12)};
    if (between(0, 1) < 0.5) one.deadline_days = between(5, 30);
    if (between(0, 1) < 0.3) one.may_run_on = {"p0", "p1"};
    if (between(0, 1) < 0.8) one.now = between(0, 1) < 0.5 ? "p0" : "p1";
    out.mix.workloads.push_back(one);
    auto& rates = out.rates.emplace_back();
    const double level = between(4'000, 15'000);
    for (std::size_t p = 0; p < providers; ++p) {
      const double median = level * between(0.7, 1.3);
      const double width = between(1.002, 1.06);
      if (between(0, 1) < 0.1 && p > 1) {
        rates.emplace_back(std::nullopt);
      } else if (between(0, 1) < 0.1) {
        rates.push_back(PortfolioRate{.median = median});
      } else {
        rates.push_back(PortfolioRate{median, median / width, median * width});
      }
    }
  }
  return out;
}

}  // namespace stepmark
