// SPDX-License-Identifier: Apache-2.0
// False alarms and power of the comparison of two sets of runs, by simulation.
#include <gtest/gtest.h>

#include <cmath>

#include "core/stats.h"
#include "tests/unit/core/stats_sources.h"

namespace stepmark {
namespace {

struct World {
  std::size_t runs;       // per side
  double between_run_sd;  // relative
  double phi;             // dependence of samples
  bool skewed;            // lognormal noise instead of normal
};

// Runs of 60 samples around a level that varies from run to run; noise of 2 %.
Groups simulate(const World& world, std::uint64_t stream, double level) {
  const Philox levels(31, stream);
  Groups groups;
  for (std::size_t r = 0; r < world.runs; ++r) {
    std::vector<double> x = autoregression(world.phi, 60, 32, stream * 100 + r);
    const double run_level = level * std::exp(world.between_run_sd * levels.normal(r));
    for (double& value : x) {
      value = run_level * (1 + 0.02 * (world.skewed ? std::exp(value) : value));
    }
    groups.push_back(std::move(x));
  }
  return groups;
}

constexpr std::size_t kReplicates = 100;

struct Rates {
  double alarms = 0;            // p < 0.05 at no difference
  double found = 0;             // p < 0.05 at the asked difference
  double found_at_minimum = 0;  // ... at the difference that the data call detectable
};

// `assumed` is the between-run spread given to the comparison.
Rates rates_of(const World& world, double difference, double assumed) {
  constexpr std::uint64_t kWorlds = 1000;
  Rates rates;
  for (std::uint64_t w = 0; w < kWorlds; ++w) {
    const Groups a = simulate(world, 2 * w, 1);
    const auto compare_at = [&](double level) {
      return ratio_of_medians(a, simulate(world, 2 * w + 1, level), 0.95, kReplicates, w, assumed);
    };
    const RatioEstimate none = compare_at(1);
    rates.alarms += (none.p_value < 0.05 ? 1.0 : 0.0) / kWorlds;
    if (difference > 0) {
      rates.found += (compare_at(1 + difference).p_value < 0.05 ? 1.0 : 0.0) / kWorlds;
      const double least = 1 + none.minimum_detectable;
      rates.found_at_minimum += (compare_at(least).p_value < 0.05 ? 1.0 : 0.0) / kWorlds;
    }
  }
  return rates;
}

TEST(RatioOfMedians, FalseAlarmsStayRare) {
  for (const bool skewed : {false, true}) {
    for (const double phi : {0.0, 0.6}) {
      for (const std::size_t runs : {2U, 3U, 5U}) {
        for (const double between : {0.0, 0.02}) {
          const World world{.runs = runs, .between_run_sd = between, .phi = phi, .skewed = skewed};
          EXPECT_LE(rates_of(world, 0, 0).alarms, 0.065) << runs << ' ' << between << ' ' << phi;
        }
      }
    }
  }
}

TEST(RatioOfMedians, OneRunASideNeedsTheAssumption) {
  const World world{.runs = 1, .between_run_sd = 0.02, .phi = 0.6, .skewed = true};
  EXPECT_LE(rates_of(world, 0, 0.02).alarms, 0.06);
  EXPECT_GT(rates_of(world, 0, 0).alarms, 0.3) << "without it, runs differ for no reason";
}

TEST(RatioOfMedians, FindsSmallDifferences) {
  const World steady{.runs = 5, .between_run_sd = 0.005, .phi = 0.6, .skewed = false};
  const Rates two = rates_of(steady, 0.02, 0);
  EXPECT_GE(two.found, 0.9);
  EXPECT_GE(two.found_at_minimum, 0.7);
  EXPECT_LE(two.found_at_minimum, 0.9);

  const World shaky{.runs = 5, .between_run_sd = 0.02, .phi = 0, .skewed = true};
  const Rates five = rates_of(shaky, 0.05, 0);
  EXPECT_GE(five.found, 0.8);
  EXPECT_GE(five.found_at_minimum, 0.7);
  EXPECT_LE(five.found_at_minimum, 0.9);

  const World single{.runs = 1, .between_run_sd = 0.005, .phi = 0, .skewed = false};
  const Rates one = rates_of(single, 0.05, 0.005);
  EXPECT_GE(one.found, 0.95);
  EXPECT_GE(one.found_at_minimum, 0.7);
  EXPECT_LE(one.found_at_minimum, 0.9);
}

TEST(RatioOfMedians, IntervalsCoverTheTrueRatio) {
  const World world{.runs = 5, .between_run_sd = 0.01, .phi = 0.5, .skewed = false};
  constexpr std::uint64_t kWorlds = 1500;
  int covered = 0;
  for (std::uint64_t w = 0; w < kWorlds; ++w) {
    const RatioEstimate estimate = ratio_of_medians(
        simulate(world, 2 * w, 1), simulate(world, 2 * w + 1, 1.07), 0.95, kReplicates, w);
    covered += estimate.interval.lower <= 1.07 && 1.07 <= estimate.interval.upper ? 1 : 0;
  }
  const double coverage = covered / static_cast<double>(kWorlds);
  EXPECT_GE(coverage, 0.93);
  EXPECT_LE(coverage, 0.97);
}

// A single run next to several takes their spread for its own.
TEST(RatioOfMedians, OneRunAgainstSeveral) {
  const World many{.runs = 5, .between_run_sd = 0.02, .phi = 0, .skewed = false};
  const World one{.runs = 1, .between_run_sd = 0.02, .phi = 0, .skewed = false};
  constexpr std::uint64_t kWorlds = 1000;
  int alarms = 0;
  for (std::uint64_t w = 0; w < kWorlds; ++w) {
    const RatioEstimate estimate = ratio_of_medians(
        simulate(many, 2 * w, 1), simulate(one, 2 * w + 1, 1), 0.95, kReplicates, w);
    alarms += estimate.p_value < 0.05 ? 1 : 0;
  }
  EXPECT_LE(alarms / static_cast<double>(kWorlds), 0.07);
}

}  // namespace
}  // namespace stepmark
