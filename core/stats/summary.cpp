// SPDX-License-Identifier: Apache-2.0
// Location and spread of a sample.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/stats.h"

namespace stepmark {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

}  // namespace

double mean(std::span<const double> x) {
  if (x.empty()) return kNaN;
  double sum = 0;
  for (const double value : x) sum += value;
  return sum / static_cast<double>(x.size());
}

double quantile(std::span<const double> x, double p) {
  if (x.empty() || !(p >= 0 && p <= 1)) return kNaN;
  std::vector<double> values(x.begin(), x.end());
  const double position = p * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(position);
  const auto at_low = values.begin() + static_cast<std::ptrdiff_t>(low);
  std::nth_element(values.begin(), at_low, values.end());
  const double fraction = position - static_cast<double>(low);
  if (fraction == 0) return *at_low;
  const double next = *std::min_element(at_low + 1, values.end());
  return *at_low + fraction * (next - *at_low);
}

double median(std::span<const double> x) { return quantile(x, 0.5); }

double standard_deviation(std::span<const double> x) {
  if (x.size() < 2) return kNaN;
  const double centre = mean(x);
  double sum = 0;
  for (const double value : x) sum += (value - centre) * (value - centre);
  return std::sqrt(sum / static_cast<double>(x.size() - 1));
}

double median_absolute_deviation(std::span<const double> x) {
  const double centre = median(x);
  std::vector<double> deviations;
  deviations.reserve(x.size());
  for (const double value : x) deviations.push_back(std::fabs(value - centre));
  return median(deviations);
}

}  // namespace stepmark
