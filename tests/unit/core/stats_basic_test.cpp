// SPDX-License-Identifier: Apache-2.0
// Statistics against values worked out by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/stats.h"

namespace stepmark {
namespace {

const std::vector<double> kFive{5, 1, 4, 2, 8};

TEST(Summary, HandValues) {
  EXPECT_DOUBLE_EQ(mean(kFive), 4);
  EXPECT_DOUBLE_EQ(median(kFive), 4);
  EXPECT_DOUBLE_EQ(median(std::vector<double>{4, 1, 2, 3}), 2.5);
  EXPECT_DOUBLE_EQ(standard_deviation(kFive), std::sqrt(30.0 / 4));
  EXPECT_DOUBLE_EQ(median_absolute_deviation(kFive), 2);  // of 1 3 0 2 4
}

TEST(Summary, QuantilesInterpolate) {
  EXPECT_DOUBLE_EQ(quantile(kFive, 0), 1);
  EXPECT_DOUBLE_EQ(quantile(kFive, 1), 8);
  EXPECT_DOUBLE_EQ(quantile(kFive, 0.25), 2);
  EXPECT_DOUBLE_EQ(quantile(kFive, 0.9), 5 + 0.6 * 3);
}

TEST(Summary, UndefinedIsNaN) {
  const std::vector<double> none;
  EXPECT_TRUE(std::isnan(mean(none)));
  EXPECT_TRUE(std::isnan(median(none)));
  EXPECT_TRUE(std::isnan(median_absolute_deviation(none)));
  EXPECT_TRUE(std::isnan(standard_deviation(std::vector<double>{1})));
  EXPECT_TRUE(std::isnan(quantile(kFive, 1.5)));
  EXPECT_TRUE(std::isnan(bootstrap_interval(none, mean, 0.95, 10, 1).lower));
}

// n = 10: (x2, x9) covers 97.85 %, (x3, x8) 89.06 %; Hettmansperger & Sheather put 95 % at a share
// of 0.3434 from the first to the second.
TEST(MedianInterval, HandValueForTen) {
  const std::vector<double> x{10, 9, 8, 7, 6, 5, 4, 3, 2, 1};
  const double outer = 1 - 2 * 11.0 / 1024;
  const double inner = 1 - 2 * 56.0 / 1024;
  const double part = (outer - 0.95) / (outer - inner);
  const double share = 8 * part / (2 + 6 * part);
  const Interval interval = median_interval(x);
  EXPECT_NEAR(interval.lower, 2 + share, 1e-12);
  EXPECT_NEAR(interval.upper, 9 - share, 1e-12);
}

TEST(MedianInterval, TooFewSamplesSayNothing) {
  const double inf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(median_interval(kFive).lower, -inf);
  EXPECT_EQ(median_interval(kFive).upper, inf);
  EXPECT_TRUE(std::isfinite(median_interval(std::vector<double>{1, 2, 3, 4, 5, 6}).width()));
  EXPECT_TRUE(std::isfinite(median_interval(kFive, 0.9).width()));
}

TEST(MedianInterval, WidensAsTheEffectiveSizeFalls) {
  std::vector<double> x(100);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i * i);
  double previous = median_interval(x).width();
  EXPECT_DOUBLE_EQ(previous, median_interval_effective(x, 100).width());
  for (const double n : {99.5, 80.0, 40.3, 12.0, 6.0}) {
    const double width = median_interval_effective(x, n).width();
    EXPECT_GT(width, previous) << n;
    previous = width;
  }
  EXPECT_TRUE(std::isinf(median_interval_effective(x, 5.9).width()));
}

TEST(Dependence, HandValues) {
  EXPECT_DOUBLE_EQ(autocorrelation(std::vector<double>{1, 2, 3, 4}, 1), 1.25 / 5);
  EXPECT_EQ(autocorrelation(std::vector<double>{3, 3, 3}, 1), 0);
  EXPECT_EQ(effective_sample_size(std::vector<double>(20, 3.0)), 20);
  EXPECT_EQ(effective_sample_size(std::vector<double>{1, -1, 1, -1, 1, -1, 1, -1}), 8);
}

TEST(Holm, HandValues) {
  EXPECT_THAT(holm_adjust(std::vector<double>{0.04, 0.01, 0.03}),
              testing::ElementsAre(testing::DoubleEq(0.06), testing::DoubleEq(0.03),
                                   testing::DoubleEq(0.06)));
  EXPECT_THAT(holm_adjust(std::vector<double>{0.9, 0.8}), testing::ElementsAre(1, 1));
  const auto adjusted = holm_adjust(std::vector<double>{std::nan(""), 0.02});
  EXPECT_TRUE(std::isnan(adjusted[0]));
  EXPECT_EQ(adjusted[1], 0.02);
  EXPECT_TRUE(holm_adjust({}).empty());
}

}  // namespace
}  // namespace stepmark
