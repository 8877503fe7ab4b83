// SPDX-License-Identifier: Apache-2.0
// The interval of a run's median where its samples depend on each other and are few.
#include <gtest/gtest.h>

#include "core/stats.h"
#include "tests/unit/core/stats_sources.h"

namespace stepmark {
namespace {

double coverage(double phi, std::size_t n) {
  constexpr std::uint64_t kReplications = 4000;
  int covered = 0;
  for (std::uint64_t r = 0; r < kReplications; ++r) {
    const std::vector<double> x = autoregression(phi, n, 61, r);
    const auto steady = std::span(x).subspan(steady_state_start(x));
    const auto interval = estimate_median(steady).interval;
    covered += interval.lower <= 0 && 0 <= interval.upper ? 1 : 0;
  }
  return covered / static_cast<double>(kReplications);
}

TEST(EstimateMedian, CoversDependentSeriesToo) {
  struct Series {
    double phi;
    std::size_t n;
  };
  for (const auto& s : {Series{0, 12}, Series{0, 30}, Series{0, 200}, Series{0.5, 30},
                        Series{0.5, 100}, Series{0.8, 30}, Series{0.8, 100}, Series{0.8, 400}}) {
    const double covered = coverage(s.phi, s.n);
    EXPECT_GE(covered, 0.925) << s.phi << ' ' << s.n;
    EXPECT_LE(covered, 0.975) << s.phi << ' ' << s.n;
  }
}

// What docs/measuring.md says of series that are too short to tell their dependence.
TEST(EstimateMedian, CoversLessWithFewerThanFiveEffectiveSamples) {
  for (const auto& [phi, n] : {std::pair{0.8, 12}, std::pair{0.9, 30}, std::pair{0.9, 12}}) {
    const double covered = coverage(phi, static_cast<std::size_t>(n));
    EXPECT_GE(covered, 0.8) << phi << ' ' << n;
    EXPECT_LE(covered, 0.925) << phi << ' ' << n;
  }
}

TEST(EstimateMedian, NeedsSixSamplesAndKnowsConstants) {
  EXPECT_FALSE(std::isfinite(estimate_median(std::vector<double>(5, 1.0)).interval.width()));
  const auto constant = estimate_median(std::vector<double>(20, 2.0));
  EXPECT_EQ(constant.interval.width(), 0);
  EXPECT_EQ(constant.log_variance, 0);
  EXPECT_EQ(constant.effective_n, 20);
}

TEST(DependenceOfMedian, LongSeriesAreAveragedFirst) {
  const std::vector<double> x = autoregression(0.8, 100000, 62, 0);
  EXPECT_NEAR(dependence_of_median(x).of_median, 9, 1.5);
  EXPECT_NEAR(dependence_of_median(autoregression(0, 100000, 62, 1)).of_median, 1, 0.15);
}

}  // namespace
}  // namespace stepmark
