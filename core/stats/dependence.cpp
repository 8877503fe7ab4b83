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

#include "core/stats.h"
#include "core/stats/autocovariance.h"
#include "core/stats/ordered.h"

namespace stepmark {
namespace {

constexpr std::size_t kFewest = 4;
constexpr std::size_t kMostPoints = 20000;  // longer series are averaged in batches first
constexpr double kMostCorrelation = 0.97;

double identity(double correlation) { return correlation; }

double of_signs(double correlation) {
  return 2 / std::numbers::pi * std::asin(std::clamp(correlation, -1.0, 1.0));
}

struct Inefficiency {
  double of_values = 1, of_signs = 1;
};

// 1 + 2 sum rho_k and that of signs over the initial positive pairs, autocorrelations corrected for
// the sample's own mean.
Inefficiency pairwise_inefficiency(Autocovariances& covariances) {
  const auto n = static_cast<double>(covariances.size());
  const double variance = covariances.at(0);
  Inefficiency sum;
  for (int pass = 0; pass < 3; ++pass) {
    const double lost = pass == 0 ? 0 : std::clamp(sum.of_values / n, 0.0, 0.5);
    const auto corrected = [&](std::size_t lag) {
      return lag == 0 ? 1 : covariances.at(lag) / variance * (1 - lost) + lost;
    };
    // 1 + 2 sum rho_k = -1 + 2 sum (rho_2k + rho_2k+1)
    sum = {.of_values = -1, .of_signs = -1};
    for (std::size_t lag = 0; lag + 1 < covariances.size(); lag += 2) {
      const double first = corrected(lag);
      const double second = corrected(lag + 1);
      if (first + second <= 0) break;
      sum.of_values += 2 * (first + second);
      sum.of_signs += 2 * (of_signs(first) + of_signs(second));
    }
  }
  return {.of_values = std::max(sum.of_values, 1.0), .of_signs = std::max(sum.of_signs, 1.0)};
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

// Blom, "Statistical Estimates and Transformed Beta-Variables", 1958. In double precision: nobody
// reads the last bits of a score, and the library's default takes three times as long for them.
double normal_score(double rank, double n) {
  using Plain = boost::math::policies::policy<boost::math::policies::promote_double<false>>;
  return boost::math::quantile(boost::math::normal_distribution<double, Plain>(),
                               (rank - 0.375) / (n + 0.25));
}

// Of ranks; equal values share one.
std::vector<double> normal_scores(std::span<const Placed> order) {
  const auto n = static_cast<double>(order.size());
  std::vector<double> scores(order.size());
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin + 1;
    while (end < order.size() && order[end].value == order[begin].value) ++end;
    const double score = normal_score(static_cast<double>(begin + 1 + end) / 2, n);
    for (std::size_t i = begin; i < end; ++i) scores[order[i].place] = score;
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
  Autocovariances covariances(deviations);
  if (!(covariances.at(0) > 0) || lag >= x.size()) return 0;
  return covariances.at(lag) / covariances.at(0);
}

double effective_sample_size(std::span<const double> x) {
  const auto n = static_cast<double>(x.size());
  if (x.size() < kFewest) return n;
  const std::vector<double> deviations = deviations_of(x);
  Autocovariances covariances(deviations);
  if (!(covariances.at(0) > 0)) return n;
  return std::clamp(n / pairwise_inefficiency(covariances).of_values, 1.0, n);
}

Dependence dependence_of_median(std::span<const double> x) {
  return dependence_of_median(in_order(x));
}

Dependence dependence_of_median(std::span<const Placed> order) {
  const auto n = static_cast<double>(order.size());
  Dependence out{.freedom = std::max(1.0, (n - 1) / 2)};
  if (order.size() < kFewest) return out;
  // Values without an order have no ranks.
  if (std::any_of(order.begin(), order.end(),
                  [](const Placed& p) { return std::isnan(p.value); })) {
    return out;
  }
  const std::vector<double> scores = deviations_of(normal_scores(order));
  Autocovariances covariances(scores);
  const double variance = covariances.at(0);
  if (!(variance > 0)) return out;
  if (order.size() > kMostPoints) {
    // What averaging does not take away, times the dependence of the averages.
    const std::size_t length = order.size() / (kMostPoints / 2);
    const std::vector<double> means = deviations_of(batch_means(scores, length));
    Autocovariances of_means(means);
    const double between = of_means.at(0) / static_cast<double>(means.size());
    out.of_median = out.of_mean =
        std::max(1.0, static_cast<double>(length) * between / (variance / n) *
                          pairwise_inefficiency(of_means).of_values);
    return out;
  }
  const double raw = covariances.at(1) / variance;
  const double first = corrected_first(raw, n);
  const double belief = credibility(raw, n);
  const Inefficiency pairwise = pairwise_inefficiency(covariances);
  const auto larger = [&](double (*transform)(double), double of_pairs) {
    const double estimate = std::max(autoregressive_inefficiency(first, transform), of_pairs);
    return std::min(1 + (estimate - 1) * belief, n);
  };
  out.of_median = larger(of_signs, pairwise.of_signs);
  out.of_mean = larger(identity, pairwise.of_values);
  // log((1+rho)/(1-rho)) has variance 4/(n (1-rho^2)); a chi-square's logarithm has 2/freedom.
  out.freedom = std::max(1.0, n * (1 - first * first) / 2);
  return out;
}

double effective_sample_size_of_median(std::span<const double> x) {
  const auto n = static_cast<double>(x.size());
  return x.empty() ? 0 : std::clamp(n / dependence_of_median(x).of_median, 1.0, n);
}

}  // namespace stepmark
