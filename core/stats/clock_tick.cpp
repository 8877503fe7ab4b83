// SPDX-License-Identifier: Apache-2.0
// The step of the clock that made the samples, told from the samples: values of a coarse clock
// repeat, and all are multiples of its step (up to rounding of the numbers).
#include <algorithm>
#include <cmath>
#include <vector>

#include "core/stats.h"
#include "core/stats/ordered.h"

namespace stepmark {
namespace {

constexpr double kCoarsest = 0.01;           // s: no clock that times kernels is coarser
constexpr std::size_t kRepeats = 4;          // mean occurrences of a value where a clock is coarse
constexpr std::size_t kMostForDivisor = 64;  // distinct values
constexpr double kSmallestShare = 1.0 / 64;  // of the smallest gap: below, values are no multiples

double common_divisor(double a, double b, double rounding) {
  while (b > rounding) {
    double rest = std::fmod(a, b);
    if (b - rest < rounding) rest = 0;
    a = b;
    b = rest;
  }
  return a;
}

}  // namespace

double clock_tick(std::span<const double> samples) {
  std::vector<double> sorted(samples.begin(), samples.end());
  std::sort(sorted.begin(), sorted.end());
  return clock_tick_of_sorted(sorted);
}

double clock_tick_of_sorted(std::span<const double> sorted) {
  std::vector<double> values(sorted.begin(), sorted.end());
  // Equal up to rounding: 1 part in 1e9.
  const auto last = std::unique(values.begin(), values.end(), [](double a, double b) {
    return std::fabs(b - a) <= 1e-9 * std::fabs(b);
  });
  values.erase(last, values.end());
  if (values.size() < 2 || values.size() * kRepeats > sorted.size()) return 0;
  double gap = values.back();
  for (std::size_t i = 1; i < values.size(); ++i) gap = std::min(gap, values[i] - values[i - 1]);
  double tick = gap;
  if (values.size() <= kMostForDivisor) {
    for (const double value : values) tick = common_divisor(value, tick, 1e-3 * gap);
    if (tick < kSmallestShare * gap) tick = gap;
  }
  return tick <= kCoarsest ? tick : 0;
}

}  // namespace stepmark
