// SPDX-License-Identifier: Apache-2.0
// How much neighbouring samples repeat each other. Autocorrelations are summed in pairs as long as
// the pairs are positive (Geyer, "Practical Markov chain Monte Carlo", Statistical Science 7,
// 1992).
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/stats.h"

namespace stepmark {
namespace {

// Sum of products of deviations `lag` apart.
double autocovariance_sum(std::span<const double> deviations, std::size_t lag) {
  double sum = 0;
  for (std::size_t i = 0; i + lag < deviations.size(); ++i) {
    sum += deviations[i] * deviations[i + lag];
  }
  return sum;
}

std::vector<double> deviations_of(std::span<const double> x) {
  const double centre = mean(x);
  std::vector<double> out;
  out.reserve(x.size());
  for (const double value : x) out.push_back(value - centre);
  return out;
}

}  // namespace

double autocorrelation(std::span<const double> x, std::size_t lag) {
  if (x.empty()) return std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> deviations = deviations_of(x);
  const double variance = autocovariance_sum(deviations, 0);
  return variance > 0 ? autocovariance_sum(deviations, lag) / variance : 0;
}

double effective_sample_size(std::span<const double> x) {
  const auto n = static_cast<double>(x.size());
  if (x.size() < 4) return n;
  const std::vector<double> deviations = deviations_of(x);
  const double variance = autocovariance_sum(deviations, 0);
  if (!(variance > 0)) return n;
  // Deviations from the sample's own mean lower every autocorrelation by about inefficiency / n,
  // which a first sum without that correction gives.
  double inefficiency = 0;
  for (int pass = 0; pass < 2; ++pass) {
    const double lost = std::max(inefficiency, 0.0) / n;
    inefficiency = -1;  // 1 + 2 sum rho_k = -1 + 2 sum (rho_2k + rho_2k+1)
    for (std::size_t lag = 0; lag + 1 < x.size(); lag += 2) {
      const double pair = autocovariance_sum(deviations, lag) / variance +
                          autocovariance_sum(deviations, lag + 1) / variance + 2 * lost;
      if (pair <= 0) break;
      inefficiency += 2 * pair;
    }
  }
  return std::clamp(n / std::max(inefficiency, 1.0), 1.0, n);
}

double effective_sample_size_of_median(std::span<const double> x) {
  const double centre = median(x);
  std::vector<double> side;
  side.reserve(x.size());
  for (const double value : x) side.push_back(value > centre ? 1 : value < centre ? -1 : 0);
  return effective_sample_size(side);
}

}  // namespace stepmark
