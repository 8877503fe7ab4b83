// SPDX-License-Identifier: Apache-2.0
// How much neighbouring samples repeat each other. Two estimates of the inefficiency
// 1 + 2 sum rho_k, the larger of which counts:
//   - autocorrelations summed in pairs as long as the pairs are positive (Geyer, "Practical Markov
//     chain Monte Carlo", Statistical Science 7, 1992), which follows any shape of dependence;
//   - that of a first-order autoregression, whose one parameter a short series tells better.
// Deviations from a sample's own mean lower every autocorrelation (by (1 + 3 rho)/n for the first
// one: Kendall, Biometrika 41, 1954; Marriott & Pope, ibid.); both are corrected for that.
// For the median the series is that of normal scores of the ranks, which outliers do not blur, and
// rho_k counts as (2/pi) asin(rho_k): the correlation of the signs on which a median rests
// (Sheppard 1899).
#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "core/stats.h"

namespace stepmark {
namespace {

constexpr std::size_t kFewest = 4;
constexpr std::size_t kMostPoints = 20000;  // longer series are averaged in batches first
constexpr double kMostCorrelation = 0.97;

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

double identity(double correlation) { return correlation; }

double of_signs(double correlation) {
  return 2 / std::numbers::pi * std::asin(std::clamp(correlation, -1.0, 1.0));
}

// 1 + 2 sum transform(rho_k) over the initial positive pairs, autocorrelations corrected for the
// sample's own mean.
double pairwise_inefficiency(std::span<const double> deviations, double variance,
                             double (*transform)(double)) {
  const auto n = static_cast<double>(deviations.size());
  double plain = 1;
  double transformed = 1;
  for (int pass = 0; pass < 3; ++pass) {
    const double lost = pass == 0 ? 0 : std::clamp(plain / n, 0.0, 0.5);
    const auto corrected = [&](std::size_t lag) {
      const double raw = autocovariance_sum(deviations, lag) / variance;
      return lag == 0 ? 1 : raw * (1 - lost) + lost;
    };
    plain = transformed = -1;  // 1 + 2 sum rho_k = -1 + 2 sum (rho_2k + rho_2k+1)
    for (std::size_t lag = 0; lag + 1 < deviations.size(); lag += 2) {
      const double first = corrected(lag);
      const double second = corrected(lag + 1);
      if (first + second <= 0) break;
      plain += 2 * (first + second);
      transformed += 2 * (transform(first) + transform(second));
    }
  }
  return std::max(transformed, 1.0);
}

// First autocorrelation, corrected for the bias of a short series.
double corrected_first(double raw, double n) {
  const double corrected = (raw + 1 / n) / (1 - 3 / n);
  return std::clamp(corrected, 0.0, std::min(kMostCorrelation, 1 - 2 / n));
}

double autoregressive_inefficiency(double first, double (*transform)(double)) {
  constexpr double kNegligible = 1e-6;
  double out = 1;
  for (double power = first; power > kNegligible; power *= first) out += 2 * transform(power);
  return out;
}

// Normal scores of ranks (Blom 1958); equal values share one.
std::vector<double> normal_scores(std::span<const double> x) {
  std::vector<std::size_t> order(x.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return x[a] < x[b]; });
  const auto n = static_cast<double>(x.size());
  std::vector<double> scores(x.size());
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin + 1;
    while (end < order.size() && x[order[end]] == x[order[begin]]) ++end;
    const double rank = static_cast<double>(begin + 1 + end) / 2;
    const double score = boost::math::quantile(boost::math::normal(), (rank - 0.375) / (n + 0.25));
    for (std::size_t i = begin; i < end; ++i) scores[order[i]] = score;
    begin = end;
  }
  return scores;
}

std::vector<double> batch_means(std::span<const double> x, std::size_t length) {
  std::vector<double> out;
  for (std::size_t begin = 0; begin + length <= x.size(); begin += length) {
    out.push_back(mean(x.subspan(begin, length)));
  }
  return out;
}

// How far a short series' dependence is believed: not at all where its first autocorrelation is
// within what chance alone gives, since the larger of two estimates would then always find some.
double credibility(double raw_first, double n) {
  constexpr double kShort = 16;
  constexpr double kLong = 20;
  const double doubt = 0.3 * std::clamp((n - kShort) / (kLong - kShort), -2.0, 1.0);
  return std::clamp(raw_first * std::sqrt(n) - doubt, 0.0, 1.0);
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
  if (x.size() < kFewest) return n;
  const std::vector<double> deviations = deviations_of(x);
  const double variance = autocovariance_sum(deviations, 0);
  if (!(variance > 0)) return n;
  return std::clamp(n / pairwise_inefficiency(deviations, variance, identity), 1.0, n);
}

Dependence dependence_of_median(std::span<const double> x) {
  const auto n = static_cast<double>(x.size());
  Dependence out{.freedom = std::max(1.0, (n - 1) / 2)};
  if (x.size() < kFewest) return out;
  // Values without an order have no ranks.
  if (std::any_of(x.begin(), x.end(), [](double value) { return std::isnan(value); })) return out;
  const std::vector<double> scores = deviations_of(normal_scores(x));
  const double variance = autocovariance_sum(scores, 0);
  if (!(variance > 0)) return out;
  if (x.size() > kMostPoints) {
    // What averaging does not take away, times the dependence of the averages.
    const std::size_t length = x.size() / (kMostPoints / 2);
    const std::vector<double> means = deviations_of(batch_means(scores, length));
    const double between = autocovariance_sum(means, 0) / static_cast<double>(means.size());
    out.of_median = out.of_mean =
        std::max(1.0, static_cast<double>(length) * between / (variance / n) *
                          pairwise_inefficiency(means, autocovariance_sum(means, 0), identity));
    return out;
  }
  const double raw = autocovariance_sum(scores, 1) / variance;
  const double first = corrected_first(raw, n);
  const double belief = credibility(raw, n);
  const auto larger = [&](double (*transform)(double)) {
    const double estimate = std::max(autoregressive_inefficiency(first, transform),
                                     pairwise_inefficiency(scores, variance, transform));
    return std::min(1 + (estimate - 1) * belief, n);
  };
  out.of_median = larger(of_signs);
  out.of_mean = larger(identity);
  // log((1+rho)/(1-rho)) has variance 4/(n (1-rho^2)); a chi-square's logarithm has 2/freedom.
  out.freedom = std::max(1.0, n * (1 - first * first) / 2);
  return out;
}

double effective_sample_size_of_median(std::span<const double> x) {
  const auto n = static_cast<double>(x.size());
  return x.empty() ? 0 : std::clamp(n / dependence_of_median(x).of_median, 1.0, n);
}

}  // namespace stepmark
