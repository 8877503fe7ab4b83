// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "core/stats.h"
#include "tests/unit/core/stats_sources.h"

namespace stepmark {
namespace {

constexpr std::uint64_t kReplications = 500;

// A level of 100 with noise 1 that starts `height` too high and settles with time constant `tau`.
std::vector<double> warming_up(std::size_t n, double height, double tau, std::uint64_t stream) {
  std::vector<double> x = autoregression(0, n, 21, stream);
  for (std::size_t i = 0; i < n; ++i)
    x[i] += 100 + height * std::exp(-static_cast<double>(i) / tau);
  return x;
}

TEST(SteadyState, StationarySeriesAreLeftAlone) {
  for (const std::size_t n : {20U, 50U, 200U, 1000U}) {
    for (const double phi : {0.0, 0.5}) {
      int cut = 0;
      for (std::uint64_t r = 0; r < kReplications; ++r) {
        cut += steady_state_start(autoregression(phi, n, 22, r)) > 0 ? 1 : 0;
      }
      EXPECT_LE(cut / static_cast<double>(kReplications), phi > 0 ? 0.08 : 0.02) << n << ' ' << phi;
    }
  }
}

TEST(SteadyState, TransientsAreCutWhereTheyDrownInNoise) {
  // 20 exp(-i/tau) falls to the noise of 1 after 3 tau.
  for (const double tau : {2.0, 5.0, 10.0}) {
    double sum = 0;
    double bias = 0;
    for (std::uint64_t r = 0; r < kReplications; ++r) {
      const std::vector<double> x = warming_up(200, 20, tau, r);
      const std::size_t start = steady_state_start(x);
      sum += static_cast<double>(start) / kReplications;
      bias += (median(std::span(x).subspan(start)) - 100) / kReplications;
    }
    EXPECT_GT(sum, 2 * tau) << tau;
    EXPECT_LT(sum, 4 * tau) << tau;
    EXPECT_LT(bias, 0.09) << tau;  // of a noise of 1
  }
}

TEST(SteadyState, CutsAtMostHalfAndNeedsSamples) {
  std::vector<double> falling(100);
  for (std::size_t i = 0; i < falling.size(); ++i) falling[i] = 100 - static_cast<double>(i);
  EXPECT_LE(steady_state_start(falling), 50U);
  EXPECT_EQ(steady_state_start(std::vector<double>{9, 1, 1, 1, 1, 1, 1}), 0U);
  EXPECT_EQ(steady_state_start(std::vector<double>(50, 1.0)), 0U);
}

TEST(SteadyState, AnOutlierInTheMiddleIsNoTransient) {
  for (std::uint64_t r = 0; r < 50; ++r) {
    std::vector<double> x = autoregression(0, 100, 23, r);
    x[40] = 1000;
    EXPECT_LT(steady_state_start(x), 40U) << r;
  }
}

}  // namespace
}  // namespace stepmark
