// SPDX-License-Identifier: Apache-2.0
// Percentile bootstrap (Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13).
#include <limits>

#include "core/rng.h"
#include "core/stats.h"

namespace stepmark {

Interval bootstrap_interval(std::span<const double> x,
                            const std::function<double(std::span<const double>)>& statistic,
                            double confidence, std::size_t replicates, std::uint64_t seed) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  if (x.empty() || replicates == 0) return {kNaN, kNaN};
  std::vector<double> sample(x.size());
  std::vector<double> values;
  values.reserve(replicates);
  for (std::size_t replicate = 0; replicate < replicates; ++replicate) {
    const Philox random(seed, replicate);
    for (std::size_t i = 0; i < sample.size(); ++i) sample[i] = x[random.below(i, x.size())];
    values.push_back(statistic(sample));
  }
  const double tail = (1 - confidence) / 2;
  return {quantile(values, tail), quantile(values, 1 - tail)};
}

}  // namespace stepmark
