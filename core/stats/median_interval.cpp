// SPDX-License-Identifier: Apache-2.0
// Order-statistic interval of the median. For n independent samples the number below the median is
// binomial(n, 1/2), whatever their distribution, so (x_(d), x_(n+1-d)) covers the median with
// probability 1 - 2 P(B <= d-1). That takes few values only; Hettmansperger & Sheather (Statistics
// & Probability Letters 4, 1986) interpolate between neighbouring order statistics to meet the
// wanted one.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/stats.h"
#include "core/stats/distributions.h"
#include "core/stats/ordered.h"

namespace stepmark {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

// Coverage of the interval between the d-th smallest and the d-th largest of n.
double coverage(std::size_t n, std::size_t d) { return 1 - 2 * binomial_cdf(n, 0.5, d - 1); }

// Fractional rank, counted from 1, of the lower end for n independent samples; 0 if n is too small
// for any interval at this confidence.
double lower_rank(std::size_t n, double confidence) {
  if (n < 2 || coverage(n, 1) < confidence) return 0;
  std::size_t d = 1;
  std::size_t too_narrow = n / 2 + 1;
  while (too_narrow - d > 1) {  // coverage(d) >= confidence > coverage(too_narrow)
    const std::size_t middle = (d + too_narrow) / 2;
    (coverage(n, middle) >= confidence ? d : too_narrow) = middle;
  }
  const double outer = coverage(n, d);
  const double inner = 2 * d < n ? coverage(n, d + 1) : 0;
  const double part = (outer - confidence) / (outer - inner);
  const auto nd = static_cast<double>(n);
  const auto dd = static_cast<double>(d);
  return dd + (nd - dd) * part / (dd + (nd - 2 * dd) * part);
}

// Value at a fractional rank from 1 to n.
double at_rank(std::span<const double> sorted, double rank) {
  const double position = std::clamp(rank - 1, 0.0, static_cast<double>(sorted.size() - 1));
  const auto low = static_cast<std::size_t>(position);
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  const double fraction = position - static_cast<double>(low);
  return sorted[low] + fraction * (sorted[high] - sorted[low]);
}

}  // namespace

Interval median_interval(std::span<const double> x, double confidence) {
  return median_interval_effective(x, static_cast<double>(x.size()), confidence);
}

Interval median_interval_effective(std::span<const double> x, double effective_n,
                                   double confidence) {
  std::vector<double> sorted(x.begin(), x.end());
  std::sort(sorted.begin(), sorted.end());
  return interval_of_sorted(sorted, effective_n, confidence);
}

Interval interval_of_sorted(std::span<const double> sorted, double effective_n, double confidence) {
  const Interval unbounded{-kInf, kInf};
  const auto n = static_cast<double>(sorted.size());
  if (!(effective_n >= 1) || sorted.empty()) return unbounded;
  effective_n = std::min(effective_n, n);
  // As a share of the sample, between the two whole numbers around the effective size.
  const auto whole = static_cast<std::size_t>(effective_n);
  const double fraction = effective_n - static_cast<double>(whole);
  const double low = lower_rank(whole, confidence);
  if (low == 0) return unbounded;
  double share = low / static_cast<double>(whole + 1);
  if (fraction > 0) {
    const double next = lower_rank(whole + 1, confidence) / static_cast<double>(whole + 2);
    share += fraction * (next - share);
  }
  const double rank = share * (n + 1);
  return {at_rank(sorted, rank), at_rank(sorted, n + 1 - rank)};
}

}  // namespace stepmark
