// SPDX-License-Identifier: Apache-2.0
// A rise or fall through a whole run: least squares on values clipped at five median absolute
// deviations, tested with the standard error widened for dependence of the residuals. It counts as
// linear when both halves have at least half of the slope, which a start-up transient has not.
#include <algorithm>
#include <cmath>
#include <vector>

#include "core/stats.h"

namespace stepmark {
namespace {

constexpr std::size_t kFewest = 10;
constexpr double kShareOfHalf = 0.5;  // of the whole slope
constexpr double kClip = 5;
constexpr double kTwoParameters = 1.2;  // were fitted where the inefficiency corrects for one

// Rise of the least-squares line over the span of `y`.
double fitted_rise(std::span<const double> y) {
  const auto n = static_cast<double>(y.size());
  const double centre = (n - 1) / 2;
  const double level = mean(y);
  double sum = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    sum += (static_cast<double>(i) - centre) * (y[i] - level);
  }
  return sum * 12 / (n * (n + 1));  // slope * (n - 1)
}

}  // namespace

double linear_drift(std::span<const double> x, double significant) {
  if (x.size() < kFewest) return 0;
  const double middle = median(x);
  const double spread = kClip * median_absolute_deviation(x);
  if (!(middle > 0) || !(spread > 0)) return 0;
  std::vector<double> y;
  y.reserve(x.size());
  for (const double value : x) y.push_back(std::clamp(value, middle - spread, middle + spread));
  const double rise = fitted_rise(y);
  if (!std::isfinite(rise)) return 0;  // times near the largest double: no slope to speak of
  const std::size_t half = y.size() / 2;
  const std::span<const double> all(y);
  for (const auto part : {all.first(half), all.last(half)}) {
    if (fitted_rise(part) / rise < kShareOfHalf / 2) return 0;
  }
  const auto n = static_cast<double>(y.size());
  std::vector<double> residuals;
  residuals.reserve(y.size());
  for (std::size_t i = 0; i < y.size(); ++i) {
    residuals.push_back(y[i] - rise * (static_cast<double>(i) / (n - 1)));
  }
  const double spread_about = standard_deviation(residuals);
  const auto counts = [&](const Dependence& dependence) {
    const double error = spread_about * std::sqrt(12 * kTwoParameters * dependence.of_mean / n);
    return std::fabs(rise) > significant * error;
  };
  // Dependence only widens the error: what chance explains without needs no look at it.
  return counts({}) && counts(dependence_of_median(residuals)) ? rise / middle : 0;
}

}  // namespace stepmark
