// SPDX-License-Identifier: Apache-2.0
// Parts of the comparison of two sets of runs, against hand values and by simulation.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/stats.h"
#include "tests/unit/core/stats_sources.h"

namespace stepmark {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

TEST(LargestError, OneNormalErrorHasNormalTails) {
  EXPECT_NEAR(largest_error_exceeds(1.96, {.sd = 1}, {.sd = 0}, 20), 0.025, 1e-4);
  EXPECT_NEAR(largest_error_exceeds(1.96, {.sd = 0}, {.sd = 1}, 1), 0.025, 1e-4);
  EXPECT_NEAR(largest_error_exceeds(1.96, {.sd = 0.6}, {.sd = 0.8}, 1), 0.025, 1e-3);
  EXPECT_NEAR(largest_error_quantile(0.025, {.sd = 1, .freedom = 2}, {.sd = 0}, 20), 4.303, 1e-3);
}

TEST(LargestError, ACommonPartIsNotMultipliedByTheCases) {
  const double twenty_own = largest_error_quantile(0.025, {.sd = 0}, {.sd = 1}, 20);
  EXPECT_NEAR(twenty_own, 3.02, 0.01);  // the normal quantile at (1 - 0.025)^(1/20)
  EXPECT_NEAR(largest_error_quantile(0.025, {.sd = 1}, {.sd = 0.01}, 20), 1.98, 0.02);
  const double mixed = largest_error_quantile(0.025, {.sd = 0.6}, {.sd = 0.8}, 20);
  EXPECT_GT(mixed, 1.96);
  EXPECT_LT(mixed, twenty_own);
}

// The quantile against the largest of simulated errors.
TEST(LargestError, QuantileIsThatOfSimulatedErrors) {
  constexpr int kTries = 20000;
  constexpr std::size_t kCases = 20;
  const double x = largest_error_quantile(0.05, {.sd = 1}, {.sd = 0.7}, kCases);
  int exceeded = 0;
  for (int t = 0; t < kTries; ++t) {
    const Philox random(41, static_cast<std::uint64_t>(t));
    double largest = -kInf;
    for (std::size_t c = 0; c < kCases; ++c) {
      largest = std::max(largest, 0.7 * random.normal(c + 1));
    }
    exceeded += random.normal(0) + largest > x ? 1 : 0;
  }
  EXPECT_NEAR(exceeded / static_cast<double>(kTries), 0.05, 0.006);
}

TEST(DetectableDifference, IsFoundByARepetitionInFourOfFiveTries) {
  EXPECT_NEAR(detectable_difference(1.96, {.sd = 1}, 0.8), 2.80, 0.01);
  // At two degrees of freedom both the spread that the difference is reckoned with and that of the
  // repetition vary: the true one is 1.
  constexpr double kCritical = 4.303;
  const double relative = detectable_difference(kCritical, {.sd = 1, .freedom = 2}, 0.8);
  int found = 0;
  constexpr int kTries = 20000;
  for (int i = 0; i < kTries; ++i) {
    const Philox random(42, static_cast<std::uint64_t>(i));
    const double first = std::hypot(random.normal(1), random.normal(2)) / std::sqrt(2.0);
    const double second = std::hypot(random.normal(3), random.normal(4)) / std::sqrt(2.0);
    found += (random.normal(0) + relative * first) / second > kCritical ? 1 : 0;
  }
  EXPECT_NEAR(found / static_cast<double>(kTries), 0.8, 0.01);
}

struct World {
  double common, own;
};

std::vector<std::vector<double>> side_of(const World& world, std::size_t runs, std::size_t cases,
                                         std::uint64_t stream) {
  std::vector<std::vector<double>> out;
  for (std::size_t r = 0; r < runs; ++r) {
    const Philox random(43, stream * 100 + r);
    const double common = world.common * random.normal(0);
    out.emplace_back();
    for (std::size_t c = 0; c < cases; ++c) {
      out.back().push_back(common + world.own * random.normal(c + 1));
    }
  }
  return out;
}

TEST(VarianceComponents, TellTheCommonEffectFromTheOwn) {
  constexpr std::size_t kCases = 20;
  const std::vector<std::size_t> family(kCases, 0);
  const std::vector<double> within(kCases, 0.0);
  double common = 0;
  double own = 0;
  constexpr std::uint64_t kTries = 400;
  for (std::uint64_t t = 0; t < kTries; ++t) {
    const std::vector sides{side_of({0.03, 0.01}, 3, kCases, 2 * t),
                            side_of({0.03, 0.01}, 3, kCases, 2 * t + 1)};
    const auto parts = variance_components(sides, family, within, 6);
    EXPECT_EQ(parts.common.freedom, 4);
    EXPECT_LE(parts.own[0].freedom, 10);  // 4 of its own, at most 6 of the family
    common += parts.common.sd * parts.common.sd / kTries;
    own += parts.own[7].sd * parts.own[7].sd / kTries;
  }
  EXPECT_NEAR(std::sqrt(common), 0.03, 0.002);
  EXPECT_NEAR(std::sqrt(own), 0.01, 0.001);
}

TEST(VarianceComponents, ANoisyCaseIsNotToldByItsFamily) {
  constexpr std::size_t kCases = 10;
  auto a = side_of({0, 0.01}, 4, kCases, 1);
  auto b = side_of({0, 0.01}, 4, kCases, 2);
  for (auto* side : {&a, &b}) {
    for (auto& run : *side) run[3] *= 30;
  }
  const auto parts = variance_components(std::vector{a, b}, std::vector<std::size_t>(kCases, 0),
                                         std::vector<double>(kCases, 0.0), 6);
  EXPECT_GT(parts.own[3].sd, 3 * parts.own[4].sd);
  EXPECT_LT(parts.own[4].freedom, 11);
}

// Families of cases with one spread and with very different ones: how often the largest of the
// cases' errors lies beyond what is claimed to hold for all of them at 5 %.
TEST(VarianceComponents, AFamilyCountsAsMuchAsItIsAlike) {
  constexpr std::size_t kCases = 20;
  constexpr std::uint64_t kTries = 1500;
  const std::vector<std::size_t> family(kCases, 0);
  const std::vector<double> within(kCases, 0.0);
  for (const std::size_t runs : {2U, 3U}) {
    for (const double unlike : {0.0, 0.6, 1.0}) {
      int alarms = 0;
      double freedom = 0;
      for (std::uint64_t t = 0; t < kTries; ++t) {
        const Philox random(44, t);
        auto a = side_of({0, 0.01}, runs, kCases, 2 * t + 1000);
        auto b = side_of({0, 0.01}, runs, kCases, 2 * t + 1001);
        std::vector<double> error;
        for (std::size_t c = 0; c < kCases; ++c) {
          const double scale = std::exp(unlike * random.normal(2 * c));
          for (auto* side : {&a, &b}) {
            for (auto& run : *side) run[c] *= scale;
          }
          error.push_back(0.01 * scale * random.normal(2 * c + 1));
        }
        const auto own = variance_components(std::vector{a, b}, family, within, 60).own;
        bool beyond = false;
        for (std::size_t c = 0; c < kCases; ++c) {
          beyond |= largest_error_exceeds(std::abs(error[c]), {}, own[c], kCases) < 0.025;
        }
        alarms += beyond ? 1 : 0;
        freedom += own[0].freedom / kTries;
      }
      EXPECT_LE(alarms, 0.065 * kTries) << runs << " runs, unlike by " << unlike;
      EXPECT_GE(freedom, unlike == 0 ? 7 : 2) << runs << " runs, unlike by " << unlike;
    }
  }
}

TEST(VarianceComponents, TheMedianOfOwnPartsIsNoSharedEffect) {
  constexpr std::size_t kCases = 20;
  double common = 0;
  constexpr std::uint64_t kTries = 400;
  for (std::uint64_t t = 0; t < kTries; ++t) {
    const std::vector sides{side_of({0, 0.01}, 5, kCases, 2 * t),
                            side_of({0, 0.01}, 5, kCases, 2 * t + 1)};
    const auto parts = variance_components(sides, std::vector<std::size_t>(kCases, 0),
                                           std::vector<double>(kCases, 0.0), 60);
    common += parts.common.sd * parts.common.sd / kTries;
  }
  // The medians alone spread by 0.0028.
  EXPECT_LT(std::sqrt(common), 0.0019);
}

TEST(VarianceComponents, SingleRunsTellNothingAndGapsAreLeftOut) {
  const std::vector<std::size_t> family(3, 0);
  const std::vector<double> within(3, 0.0);
  const auto none = variance_components(
      std::vector{side_of({0.1, 0.1}, 1, 3, 1), side_of({0.1, 0.1}, 1, 3, 2)}, family, within, 6);
  EXPECT_EQ(none.common.freedom, 0);
  auto gap = side_of({0.1, 0.1}, 3, 3, 3);
  gap[1][2] = kNaN;
  const auto parts =
      variance_components(std::vector<std::vector<std::vector<double>>>{gap}, family, within, 0);
  EXPECT_TRUE(std::isfinite(parts.common.sd));
  EXPECT_EQ(parts.own[0].freedom, 2);
  EXPECT_EQ(parts.own[2].freedom, 1);
}

TEST(ShortestHalf, LooksPastOneThirdOfChangedValues) {
  std::vector<double> x;
  const Philox random(44, 0);
  for (std::size_t i = 0; i < 20; ++i) x.push_back(0.01 * random.normal(i) + (i < 6 ? 0.2 : 0));
  const auto half = shortest_half(x);
  EXPECT_NEAR(half.middle, 0, 0.01);
  EXPECT_LT(half.sd, 0.04);
}

TEST(ClockTick, IsTheStepThatAllValuesAreMultiplesOf) {
  EXPECT_DOUBLE_EQ(clock_tick(std::vector<double>(10, 1.0)), 0);
  std::vector<double> x(12, 2.0e-6);
  x.insert(x.end(), 12, 2.5e-6);
  EXPECT_NEAR(clock_tick(x), 0.5e-6, 1e-12);
  x.insert(x.end(), 12, 2.1e-6);
  EXPECT_NEAR(clock_tick(x), 0.1e-6, 1e-12);
  EXPECT_EQ(clock_tick(autoregression(0, 100, 1, 1)), 0) << "a fine clock";
  std::vector<double> seconds(12, 1.0);
  seconds.insert(seconds.end(), 12, 2.0);
  EXPECT_EQ(clock_tick(seconds), 0) << "no clock ticks in seconds";
}

TEST(LinearDrift, IsFoundThroughoutAndOnlyThere) {
  const auto series = [](std::uint64_t stream, auto level) {
    std::vector<double> x = autoregression(0, 60, 45, stream);
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = level(static_cast<double>(i) / 59) * (1 + 0.01 * x[i]);
    }
    return x;
  };
  int found = 0;
  int slight = 0;
  int transient = 0;
  int none = 0;
  for (std::uint64_t r = 0; r < 200; ++r) {
    found += linear_drift(series(r, [](double t) { return 1 + 0.1 * t; })) > 0.05 ? 1 : 0;
    slight += linear_drift(series(r, [](double t) { return 1 + 0.05 * t; })) > 0.02 ? 1 : 0;
    transient += linear_drift(series(r, [](double t) { return 1 + std::exp(-20 * t); })) != 0;
    none += linear_drift(series(r, [](double) { return 1.0; })) != 0 ? 1 : 0;
  }
  EXPECT_GE(found, 195);
  EXPECT_GE(slight, 180);
  EXPECT_LE(transient, 2);
  EXPECT_LE(none, 2);
}

TEST(LinearDrift, WidensTheIntervalAndIsNoTransient) {
  std::vector<double> x = autoregression(0, 100, 46, 0);
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = (100 + 0.1 * static_cast<double>(i)) * (1 + 0.01 * x[i]);
  }
  EXPECT_EQ(steady_state_start(x), 0U);
  const auto estimate = estimate_median(x);
  EXPECT_NEAR(estimate.drift, 0.095, 0.02);
  EXPECT_GT(estimate.interval.width() / estimate.median, 0.08);
}

}  // namespace
}  // namespace stepmark
