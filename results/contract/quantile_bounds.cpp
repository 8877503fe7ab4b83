// SPDX-License-Identifier: Apache-2.0
// Order statistics: of n independent values the number below the q-quantile is binomial(n, q),
// whatever their distribution, so the r-th smallest exceeds it with probability P(B <= r-1) (e.g.
// David & Nagaraja, Order Statistics, 7.1). No interpolation between ranks: a bound in a contract
// must hold at least as often as it says.
//
// With too few values for any rank the logarithms are taken as normal. With mean m and standard
// deviation s of n of them, (mu + z_q sigma - m) sqrt(n) / s is noncentral t with n-1 degrees of
// freedom and noncentrality z_q sqrt(n) (Hahn & Meeker, Statistical Intervals, 4.4; for the median
// it is Student's).
#include "results/contract/quantile_bounds.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/stats.h"
#include "core/stats/distributions.h"

namespace stepmark {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr std::size_t kFewestLogNormal = 3;  // two differ by anything
constexpr double kPower = 0.9;
// Beyond, a power is 0 or 1, and the series of the noncentral t do not converge.
constexpr double kMostShift = 30;

// Rank from 1 of the lower bound: the largest r with P(B <= r-1) <= tail; 0: none.
std::size_t lower_rank(std::size_t n, double q, double tail) {
  std::size_t rank = 0;
  std::size_t too_high = n + 1;
  while (too_high - rank > 1) {
    const std::size_t middle = rank + (too_high - rank) / 2;
    (binomial_cdf(n, q, middle - 1) <= tail ? rank : too_high) = middle;
  }
  return rank;
}

// Rank from 1 of the upper bound: the smallest s with P(B >= s) <= tail; 0: none.
std::size_t upper_rank(std::size_t n, double q, double tail) {
  const std::size_t mirrored = lower_rank(n, 1 - q, tail);
  return mirrored == 0 ? 0 : n + 1 - mirrored;
}

double shifted_t_cdf(double freedom, double shift, double x) {
  if (std::abs(shift) > kMostShift) return shift > 0 ? 0 : 1;
  return noncentral_t_cdf(freedom, shift, x);
}

// Mean and spread of logarithms; sd 0: nothing tells it.
struct Logs {
  double mean = 0, sd = 0;
};

Logs logs_of(std::span<const double> values, double within_sd) {
  std::vector<double> logs;
  for (const double value : values) {
    if (!(value > 0) || !std::isfinite(value)) return {};
    logs.push_back(std::log(value));
  }
  if (logs.size() < 2) return {};
  const double own = std::isfinite(within_sd) ? within_sd : 0;
  return {.mean = mean(logs), .sd = std::max(standard_deviation(logs), own)};
}

// m + s t / sqrt(n).
double log_normal_bound(const Logs& logs, std::size_t n, double q, double p) {
  const double root = std::sqrt(static_cast<double>(n));
  const double t = noncentral_t_quantile(static_cast<double>(n - 1), normal_quantile(q) * root, p);
  return std::exp(logs.mean + logs.sd * t / root);
}

// Probability that n values of that kind put the quantile beyond the limit, on the side where it
// is supposed to lie.
double power_of(const Logs& logs, std::size_t n, double log_limit, double q, const Tails& tails) {
  const double below_limit = normal_cdf((log_limit - logs.mean) / logs.sd);
  const bool above = below_limit < q;
  if (const std::size_t rank =
          above ? lower_rank(n, q, tails.below) : upper_rank(n, q, tails.above);
      rank > 0) {
    const double fewer = binomial_cdf(n, below_limit, rank - 1);  // than `rank` values below it
    return above ? fewer : 1 - fewer;
  }
  if (n < kFewestLogNormal) return 0;
  const auto freedom = static_cast<double>(n - 1);
  const double root = std::sqrt(static_cast<double>(n));
  const double shift = (logs.mean - log_limit) * root / logs.sd;
  const double critical = noncentral_t_quantile(freedom, normal_quantile(q) * root,
                                                above ? tails.below : 1 - tails.above);
  const double cdf = shifted_t_cdf(freedom, shift, -critical);
  return above ? 1 - cdf : cdf;
}

}  // namespace

std::string_view name_of(BoundMethod method) {
  switch (method) {
    case BoundMethod::none:
      return "none";
    case BoundMethod::order_statistics:
      return "order statistics";
    case BoundMethod::log_normal:
      break;
  }
  return "log-normal";
}

QuantileBounds quantile_bounds(std::span<const double> values, double quantile, const Tails& tails,
                               double within_sd) {
  const std::size_t n = values.size();
  QuantileBounds out{.estimate = stepmark::quantile(values, quantile),
                     .lower = {.value = -kInf},
                     .upper = {.value = kInf}};
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  if (const std::size_t rank = lower_rank(n, quantile, tails.below); rank > 0) {
    out.lower = {.value = sorted[rank - 1], .method = BoundMethod::order_statistics};
  }
  if (const std::size_t rank = upper_rank(n, quantile, tails.above); rank > 0) {
    out.upper = {.value = sorted[rank - 1], .method = BoundMethod::order_statistics};
  }
  const Logs logs = logs_of(values, within_sd);
  if (n < kFewestLogNormal || logs.sd == 0) return out;
  if (out.lower.method == BoundMethod::none) {
    out.lower = {.value = log_normal_bound(logs, n, quantile, tails.below),
                 .method = BoundMethod::log_normal};
  }
  if (out.upper.method == BoundMethod::none) {
    out.upper = {.value = log_normal_bound(logs, n, quantile, 1 - tails.above),
                 .method = BoundMethod::log_normal};
  }
  return out;
}

std::optional<std::size_t> further_values(std::span<const double> values, double limit,
                                          double quantile, const Tails& tails, double within_sd) {
  const Logs logs = logs_of(values, within_sd);
  if (logs.sd == 0 || !(limit > 0)) return std::nullopt;
  const auto decides = [&](std::size_t further) {
    return power_of(logs, values.size() + further, std::log(limit), quantile, tails) >= kPower;
  };
  // Doubled until it decides, then halved back: power rises with the number but for the steps of
  // ranks, which are smaller than what the estimate is worth.
  std::size_t enough = 1;
  while (enough < kMostFurther && !decides(enough)) enough = std::min(2 * enough, kMostFurther);
  if (!decides(enough)) return std::nullopt;
  std::size_t too_few = enough / 2;
  while (enough - too_few > 1) {
    const std::size_t middle = too_few + (enough - too_few) / 2;
    (decides(middle) ? enough : too_few) = middle;
  }
  return enough;
}

std::size_t fewest_for_lower(double quantile, double tail) {
  return static_cast<std::size_t>(std::ceil(std::log(tail) / std::log1p(-quantile) - 1e-9));
}

std::size_t fewest_for_upper(double quantile, double tail) {
  return static_cast<std::size_t>(std::ceil(std::log(tail) / std::log(quantile) - 1e-9));
}

}  // namespace stepmark
