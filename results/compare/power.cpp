// SPDX-License-Identifier: Apache-2.0
// The assurance of a test whose spread is known from few runs (O'Hagan, Stevens & Campbell, Pharm.
// Stat. 4, 2005): the true variance is distributed about the one that was found with the degrees of
// freedom of today, the variance that the comparison will find about the true one with those of
// then. Both are integrated at equal steps of probability. The critical value is that of the
// verdicts: of the largest of all cases' errors (core/stats/shared_error.cpp), without stepping
// down, which only helps.
#include "results/compare/power.h"
#include "core/stats/distributions.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace stepmark {
namespace {

constexpr std::size_t kSteps = 24;
constexpr double kAsKnown = 1e4;  // degrees of freedom

using Relative = std::array<double, kSteps>;

// A sample's sd relative to the true one.
Relative relative_sd(double freedom) {
  Relative out;
  out.fill(1);
  if (!(freedom < kAsKnown)) return out;
  const double bounded = std::max(1.0, freedom);
  for (std::size_t i = 0; i < kSteps; ++i) {
    const double p = (static_cast<double>(i) + 0.5) / kSteps;
    out.at(i) = std::sqrt(chi_squared_quantile(bounded, p) / bounded);
  }
  return out;
}

// Mean over both spreads of `decided` at the number of true standard errors by which the estimate
// will on average lie beyond its critical value.
template <typename Decided>
double averaged(const FutureError& error, double distance, double critical,
                const Decided& decided) {
  const ErrorPart whole = sum_of(error.common, error.own);
  if (!(whole.sd > 0)) return distance > critical ? 1 : 0;
  const Relative known = relative_sd(error.known_freedom);
  const Relative found = relative_sd(whole.freedom);
  double sum = 0;
  for (const double r : known) {
    for (const double s : found) sum += decided(distance / whole.sd * r - critical / whole.sd * s);
  }
  return sum / (kSteps * kSteps);
}

double share_below(double x) { return std::erfc(-x / std::sqrt(2.0)) / 2; }

}  // namespace

double power_to_find(const FutureError& error, const DecisionGoal& goal) {
  const double critical =
      largest_error_quantile(goal.alpha / 2, error.common, error.own, goal.cases);
  return averaged(error, goal.find_beyond, critical, share_below);
}

double power_to_call_same(const FutureError& error, const DecisionGoal& goal) {
  const double critical = largest_error_quantile(goal.alpha, error.common, error.own, goal.cases);
  return averaged(error, goal.same_within, critical,
                  [](double x) { return std::max(0.0, 2 * share_below(x) - 1); });
}

double power_to_decide(const FutureError& error, const DecisionGoal& goal) {
  double power = 1;
  if (goal.find_beyond > 0) power = power_to_find(error, goal);
  if (goal.same_within > 0) power = std::min(power, power_to_call_same(error, goal));
  return power;
}

}  // namespace stepmark
