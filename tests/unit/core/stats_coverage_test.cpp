// SPDX-License-Identifier: Apache-2.0
// Intervals and sample sizes by simulation with known truth. Seeds are fixed, so the outcome is
// too; the counts of replications make one standard error of a coverage 0.3 to 0.5 %.
#include <gtest/gtest.h>

#include <cmath>

#include "core/stats.h"
#include "tests/unit/core/stats_sources.h"

namespace stepmark {
namespace {

bool covers(const Interval& interval, double truth) {
  return interval.lower <= truth && truth <= interval.upper;
}

TEST(MedianIntervalCoverage, IsNominalForEveryShape) {
  constexpr std::uint64_t kReplications = 4000;
  for (const Distribution& from : distributions()) {
    for (const std::size_t n : {10U, 20U, 50U, 200U}) {
      int covered = 0;
      for (std::uint64_t r = 0; r < kReplications; ++r) {
        const std::vector<double> x = draw_series(from, n, 100 + n, r);
        covered += covers(median_interval(x), from.true_median) ? 1 : 0;
      }
      const double coverage = covered / static_cast<double>(kReplications);
      EXPECT_GE(coverage, 0.93) << from.name << " n=" << n;
      EXPECT_LE(coverage, 0.97) << from.name << " n=" << n;
    }
  }
}

TEST(MedianIntervalCoverage, HoldsForDependentSamples) {
  constexpr std::uint64_t kReplications = 6000;
  for (const double phi : {0.0, 0.5, 0.8}) {
    int naive = 0;
    int by_mean = 0;
    int by_median = 0;
    for (std::uint64_t r = 0; r < kReplications; ++r) {
      const std::vector<double> x = autoregression(phi, 200, 7, r);
      naive += covers(median_interval(x), 0) ? 1 : 0;
      by_mean += covers(median_interval_effective(x, effective_sample_size(x)), 0) ? 1 : 0;
      by_median +=
          covers(median_interval_effective(x, effective_sample_size_of_median(x)), 0) ? 1 : 0;
    }
    const double n = kReplications;
    EXPECT_GE(by_median / n, 0.93) << phi;
    EXPECT_LE(by_median / n, 0.97) << phi;
    EXPECT_GE(by_mean / n, 0.93) << phi;
    EXPECT_LE(by_mean / n, 0.98) << phi;  // counts more dependence than a median feels
    if (phi > 0) {
      EXPECT_LT(naive / n, 0.9) << "the correction is there for a reason";
    }
  }
}

TEST(EffectiveSampleSize, IsNearTheTruth) {
  constexpr std::uint64_t kReplications = 400;
  for (const double phi : {0.0, 0.5, 0.8}) {
    double sum = 0;
    for (std::uint64_t r = 0; r < kReplications; ++r) {
      sum += effective_sample_size(autoregression(phi, 1000, 8, r)) / kReplications;
    }
    const double truth = 1000 * (1 - phi) / (1 + phi);
    EXPECT_NEAR(sum, truth, 0.1 * truth) << phi;
  }
}

TEST(EffectiveSampleSize, OutliersDoNotHideDependenceFromTheMedian) {
  std::vector<double> x = autoregression(0.8, 1000, 9, 0);
  for (std::size_t i = 0; i < x.size(); i += 37) x[i] += 200;
  EXPECT_GT(effective_sample_size(x), 600);            // blinded
  EXPECT_LT(effective_sample_size_of_median(x), 300);  // 1000 / 6.4 without outliers
}

TEST(BootstrapInterval, CoversMeanAndMedian) {
  constexpr std::uint64_t kReplications = 1500;
  const Distribution normal = distributions()[0];
  for (const auto statistic : {mean, median}) {
    int covered = 0;
    for (std::uint64_t r = 0; r < kReplications; ++r) {
      const std::vector<double> x = draw_series(normal, 50, 55, r);
      covered += covers(bootstrap_interval(x, statistic, 0.95, 300, r), 0) ? 1 : 0;
    }
    const double coverage = covered / static_cast<double>(kReplications);
    EXPECT_GE(coverage, 0.93);
    EXPECT_LE(coverage, 0.97);
  }
}

}  // namespace
}  // namespace stepmark
