// SPDX-License-Identifier: Apache-2.0
// What is computed a faster way for long series is what the plain way gives.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <limits>

#include "core/stats.h"
#include "core/stats/autocovariance.h"
#include "core/stats/ordered.h"
#include "tests/unit/core/stats_sources.h"

namespace stepmark {
namespace {

double plain_autocovariance(std::span<const double> deviations, std::size_t lag) {
  double sum = 0;
  for (std::size_t i = 0; i + lag < deviations.size(); ++i) {
    sum += deviations[i] * deviations[i + lag];
  }
  return sum;
}

// Lags are direct up to some and by the transform behind: sizes around powers of two, where padding
// would show the series' end meeting its start.
TEST(Autocovariances, AreSumsOfProductsAtEveryLag) {
  for (const std::size_t n : {1, 2, 63, 64, 65, 127, 128, 129, 1000, 1025}) {
    const auto deviations = deviations_of(autoregression(0.9, n, 71, n));
    Autocovariances covariances(deviations);
    const double scale = plain_autocovariance(deviations, 0);
    for (std::size_t lag = 0; lag < n; ++lag) {
      EXPECT_NEAR(covariances.at(lag), plain_autocovariance(deviations, lag), 1e-12 * scale)
          << n << ' ' << lag;
    }
  }
}

TEST(Autocovariances, AreTheSameWhicheverLagIsAskedForFirst) {
  const auto deviations = deviations_of(autoregression(0.99, 500, 72, 0));
  Autocovariances upwards(deviations);
  Autocovariances downwards(deviations);
  std::vector<double> up;
  std::vector<double> down;
  for (std::size_t lag = 0; lag < 500; ++lag) up.push_back(upwards.at(lag));
  for (std::size_t lag = 500; lag-- > 0;) down.push_back(downwards.at(lag));
  std::reverse(down.begin(), down.end());
  EXPECT_EQ(up, down);
}

// What long series of a drifting machine took until their lags were transformed: minutes of the
// processor, which a busy machine does not add to.
TEST(EstimateMedian, TakesNoSquareOfALongDriftingSeries) {
  constexpr int kSeries = 40;
  const auto cpu_s = [] {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  };
  const double begin = cpu_s();
  for (int r = 0; r < kSeries; ++r) {
    auto x = autoregression(0.3, 20000, 73, static_cast<std::uint64_t>(r));
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = 1 + 0.01 * x[i] + 0.05 * static_cast<double>(i) / 20000;
    }
    EXPECT_GT(estimate_median(x).drift, 0.03);
  }
  EXPECT_LT(cpu_s() - begin, 10);
}

TEST(Ordered, QuantilesAreThoseOfTheSample) {
  for (const std::size_t n : {1, 2, 3, 10, 101}) {
    const auto x = autoregression(0.2, n, 74, n);
    const auto sorted = values_of(in_order(x));
    for (const double p : {0.0, 0.01, 0.25, 0.5, 0.95, 0.99, 1.0}) {
      EXPECT_EQ(quantile_of_sorted(sorted, p), quantile(x, p)) << n << ' ' << p;
    }
    EXPECT_EQ(deviation_of_sorted(sorted), median_absolute_deviation(x));
  }
  EXPECT_TRUE(std::isnan(quantile_of_sorted({}, 0.5)));
}

TEST(Ordered, OrderOfATailIsThatOfTheWhole) {
  std::vector<double> x{3, 1, 2, 2, 5, 4, 1, 2};
  const auto tail = std::span(x).subspan(3);
  const auto direct = in_order(tail);
  const auto filtered = order_from(in_order(x), 3);
  ASSERT_EQ(filtered.size(), direct.size());
  for (std::size_t i = 0; i < direct.size(); ++i) {
    EXPECT_EQ(filtered[i].value, direct[i].value);
    EXPECT_EQ(tail[filtered[i].place], filtered[i].value);
  }
  EXPECT_TRUE(order_from(in_order(x), 8).empty());
}

TEST(Ordered, MergedIsSorted) {
  const std::vector<std::vector<double>> runs{{1, 4, 9}, {}, {2, 2, 3}, {0}, {5, 6}};
  EXPECT_EQ(merged(runs), (std::vector<double>{0, 1, 2, 2, 3, 4, 5, 6, 9}));
  EXPECT_TRUE(merged({}).empty());
}

// No order among them: they stand last, and nothing is read beyond the sample.
TEST(Ordered, ValuesThatAreNoneStandLast) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  std::vector<double> x(100, kNaN);
  for (std::size_t i = 0; i < x.size(); i += 3) x[i] = static_cast<double>(100 - i);
  const auto order = in_order(x);
  for (std::size_t i = 0; i < 34; ++i) EXPECT_EQ(order[i].value, static_cast<double>(1 + 3 * i));
  for (std::size_t i = 34; i < 100; ++i) EXPECT_TRUE(std::isnan(order[i].value));
  EXPECT_EQ(dependence_of_median(x).of_median, 1);
}

}  // namespace
}  // namespace stepmark
