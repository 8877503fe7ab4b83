// SPDX-License-Identifier: Apache-2.0
// Bounds against ranks counted by hand and tables, and how often they hold in seeded simulations.
#include "results/contract/quantile_bounds.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/rng.h"

namespace stepmark {
namespace {

std::vector<double> one_to(int n) {
  std::vector<double> out;
  for (int i = 1; i <= n; ++i) out.push_back(i);
  return out;
}

TEST(QuantileBounds, AreTheOrderStatisticsOfTheBinomial) {
  // n = 10, median: P(B <= 1) = 11/1024 <= 0.025 < P(B <= 2) = 56/1024, so ranks 2 and 9.
  const auto ten = quantile_bounds(one_to(10), 0.5, {.below = 0.025, .above = 0.025}, 0);
  EXPECT_EQ(ten.lower.value, 2);
  EXPECT_EQ(ten.upper.value, 9);
  EXPECT_EQ(ten.lower.method, BoundMethod::order_statistics);
  EXPECT_EQ(ten.estimate, 5.5);
  // 10 % quantile, tail 5 %: 0.9^28 = 0.0523 is too much, 0.9^29 = 0.0471 is not.
  const Tails tails{.below = 0.05, .above = 0.05};
  EXPECT_EQ(fewest_for_lower(0.1, 0.05), 29U);
  EXPECT_EQ(quantile_bounds(one_to(28), 0.1, tails, 0).lower.method, BoundMethod::log_normal);
  EXPECT_EQ(quantile_bounds(one_to(29), 0.1, tails, 0).lower.value, 1);
  EXPECT_EQ(fewest_for_upper(0.5, 0.025), 6U);
}

TEST(QuantileBounds, OfFewValuesAreLogNormal) {
  // Logarithms -0.01, 0, 0.01: mean 0, sd 0.01; Student's t of 2 degrees at 97.5 %: 4.302653.
  const std::vector<double> three{std::exp(-0.01), 1, std::exp(0.01)};
  const auto median = quantile_bounds(three, 0.5, {}, 0);
  EXPECT_NEAR(std::log(median.upper.value), 0.01 * 4.302653 / std::sqrt(3), 1e-7);
  EXPECT_NEAR(median.lower.value * median.upper.value, 1, 1e-12);
  EXPECT_EQ(median.lower.method, BoundMethod::log_normal);
  // One-sided tolerance factor of n = 10, 90 % of the population, confidence 95 %: 2.355
  // (ISO 16269-6, table C.2).
  std::vector<double> ten;
  for (int i = 0; i < 10; ++i) ten.push_back(std::exp(0.01 * i));
  const auto tenth = quantile_bounds(ten, 0.1, {.below = 0.05, .above = 0.05}, 0);
  EXPECT_NEAR((0.045 - std::log(tenth.lower.value)) / 0.0302765, 2.355, 5e-4);
}

TEST(QuantileBounds, AreNoneWhereNothingTellsTheSpread) {
  for (const auto& values : {std::vector<double>{5}, {5, 6}, {5, 5, 5}}) {
    const auto bounds = quantile_bounds(values, 0.5, {}, 0);
    EXPECT_EQ(bounds.lower.method, BoundMethod::none);
    EXPECT_TRUE(std::isinf(bounds.lower.value) && std::isinf(bounds.upper.value));
  }
  // Values that agree better than their own samples allow are as far apart as those say.
  const auto bounds = quantile_bounds(std::vector<double>{5, 5, 5}, 0.5, {}, 0.01);
  EXPECT_NEAR(std::log(bounds.upper.value / 5), 0.01 * 4.302653 / std::sqrt(3), 1e-7);
}

struct Setting {
  double quantile;
  int runs;
};

class CoverageOf : public ::testing::TestWithParam<Setting> {};

// Each bound lies on the wrong side of the true quantile at most as often as it says.
TEST_P(CoverageOf, BoundsHolds) {
  const auto [q, runs] = GetParam();
  constexpr int kTrials = 4000;
  constexpr double kTail = 0.025;
  const double z = q == 0.5 ? 0 : q == 0.1 ? -1.2815515655 : 1.2815515655;
  const double truth = 480 * std::exp(0.02 * z);
  int above = 0;
  int below = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    const Philox noise(11, static_cast<std::uint64_t>(trial));
    std::vector<double> values;
    for (int i = 0; i < runs; ++i) values.push_back(480 * std::exp(0.02 * noise.normal(i)));
    const auto bounds = quantile_bounds(values, q, {.below = kTail, .above = kTail}, 0);
    above += bounds.lower.value > truth ? 1 : 0;
    below += bounds.upper.value < truth ? 1 : 0;
  }
  const double most = kTrials * kTail + 3.5 * std::sqrt(kTrials * kTail);
  EXPECT_LE(above, most);
  EXPECT_LE(below, most);
}

INSTANTIATE_TEST_SUITE_P(Runs, CoverageOf,
                         ::testing::Values(Setting{0.5, 3}, Setting{0.5, 5}, Setting{0.5, 12},
                                           Setting{0.1, 4}, Setting{0.1, 40}, Setting{0.9, 6}));

// The announced number of further values decides in about 90 % of repetitions: the true values
// stand in for those seen, so that the announcement itself is tested and not the luck of a sample.
TEST(FurtherValues, DecideWithTheAnnouncedPower) {
  for (const double q : {0.5, 0.1}) {
    const double z = q == 0.5 ? 0 : -1.2815515655;
    // Mean 0 and standard deviation 0.02 exactly; the quantile 1 % above the limit.
    const double a = 0.02 * std::sqrt(3.0 / 4.0);
    const std::vector<double> seen{std::exp(-a), std::exp(-a), std::exp(a), std::exp(a)};
    const double limit = std::exp(0.02 * z - 0.01);
    const Tails tails{};
    const auto further = further_values(seen, limit, q, tails, 0);
    ASSERT_TRUE(further);
    const auto n = static_cast<int>(seen.size() + *further);
    constexpr int kTrials = 1000;
    int decided = 0;
    for (int trial = 0; trial < kTrials; ++trial) {
      const Philox noise(12, static_cast<std::uint64_t>(trial));
      std::vector<double> values;
      for (int i = 0; i < n; ++i) values.push_back(std::exp(0.02 * noise.normal(i)));
      decided += quantile_bounds(values, q, tails, 0).lower.value >= limit ? 1 : 0;
    }
    EXPECT_GE(decided, 870) << q << ": " << n;
    EXPECT_LE(decided, 975) << q << ": " << n << " are more than needed";
  }
}

TEST(FurtherValues, AreNoneAtTheLimitOrWithoutSpread) {
  const std::vector<double> around{0.99, 1, 1.0101};
  EXPECT_FALSE(further_values(around, 1.0, 0.5, {}, 0));
  EXPECT_FALSE(further_values(std::vector<double>{1}, 0.9, 0.5, {}, 0));
}

}  // namespace
}  // namespace stepmark
