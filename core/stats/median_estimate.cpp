// SPDX-License-Identifier: Apache-2.0
// A run's median and how well its own samples tell it. The order-statistic interval is taken for
// the effective number of samples; where that is too small for order statistics it is taken for
// ten and widened by the root of the ratio. Two more widenings belong to dependent samples:
//   - they spread less about their own median than the process does: by 1 - inefficiency/n
//     (Bayley & Hammersley, J. Royal Stat. Soc. Suppl. 8, 1946);
//   - their inefficiency is itself an estimate, as uncertain as a variance of `freedom` degrees:
//     Student's factor in place of the normal one.
// A run that drifts has no one level: the standard deviation of a ramp, height / sqrt(12), is put
// beside what chance explains.
#include <algorithm>
#include <cmath>

#include "core/stats.h"
#include "core/stats/distributions.h"
#include "core/stats/ordered.h"

namespace stepmark {
namespace {

constexpr double kFewestForRanks = 10;    // effective samples
constexpr double kLeastOwnSpread = 0.25;  // of the variance; a shorter series tells nothing
constexpr double kFreedomShare = 0.35;    // of the freedom of an autoregression known to be one
constexpr double kFullyDependent = 1.5;   // inefficiency - 1 from which Student's factor counts

}  // namespace

MedianEstimate estimate_median(std::span<const double> x, double confidence) {
  const auto order = in_order(x);
  return estimate_median(x, order, values_of(order), confidence);
}

MedianEstimate estimate_median(std::span<const double> x, std::span<const Placed> order,
                               std::span<const double> sorted, double confidence) {
  const auto n = static_cast<double>(x.size());
  MedianEstimate out;
  out.median = quantile_of_sorted(sorted, 0.5);
  out.interval = interval_of_sorted(sorted, 0, confidence);  // unbounded
  if (x.empty()) return out;
  const Dependence dependence = dependence_of_median(order);
  const double effective = std::clamp(n / dependence.of_median, 1.0, n);
  out.effective_n = effective;
  const double ranked = std::clamp(effective, std::min(kFewestForRanks, n), n);
  const Interval plain = interval_of_sorted(sorted, ranked, confidence);
  if (!std::isfinite(plain.width())) return out;

  const double two_sided = (1 + confidence) / 2;
  const double z = normal_quantile(two_sided);
  const bool dependent = dependence.of_median > 1;
  const double own_spread = dependent ? std::max(kLeastOwnSpread, 1 - dependence.of_mean / n) : 1.0;
  const double scale = std::sqrt(ranked / effective / own_spread);
  out.freedom = std::max(2.0, kFreedomShare * dependence.freedom);
  const double weight = std::min(1.0, (dependence.of_median - 1) / kFullyDependent);
  const double student = 1 + weight * (student_quantile(out.freedom, two_sided) / z - 1);
  if (!dependent) out.freedom = std::max(1.0, n - 1);

  out.drift = linear_drift(x);
  const double ramp = std::fabs(out.drift) * out.median / std::sqrt(12.0);
  const auto widened = [&](double half) { return std::hypot(half * scale * student, z * ramp); };
  out.interval = {out.median - widened(out.median - plain.lower),
                  out.median + widened(plain.upper - out.median)};
  if (out.median > 0) {
    // On the log scale: the half-widths of the plain interval, which is shorter than the median.
    const double sd = plain.width() / 2 / z * scale / out.median;
    out.log_variance = sd * sd + out.drift * out.drift / 12;
  }
  return out;
}

}  // namespace stepmark
