// SPDX-License-Identifier: Apache-2.0
// Verdicts on data with known truth: how often two runs of the same thing are called different, and
// how often a real slow-down is found. Fixed seeds; rates are of these seeds. The method's figures
// over a grid of truths: tests/simulation.
#include <gtest/gtest.h>

#include "results/compare/compare.h"
#include "synthetic.h"

namespace stepmark {
namespace {

struct Scenario {
  const char* name;
  double noise = 0.01;
  double correlation = 0;
  double between_run_sd = 0;
  int count = 60;
  int least_found = 19;  // of 20 comparisons, with a delay of 5 %
  bool stated = false;   // the spread between runs is given to the comparison
};

Run made(const Scenario& s, std::uint64_t seed, double slowdown) {
  return synthetic::run({.seed = seed,
                         .slowdown = slowdown,
                         .between_run_sd = s.between_run_sd,
                         .noise = s.noise,
                         .correlation = s.correlation,
                         .count = s.count,
                         .timeline = false});
}

SideComparison once(const Scenario& s, std::uint64_t seed, double slowdown) {
  const std::vector<RunSide> sides = {{.label = "a", .runs = {made(s, 2 * seed, 1)}},
                                      {.label = "b", .runs = {made(s, 2 * seed + 1, slowdown)}}};
  CompareOptions options{.say_what_decides = false};
  if (s.stated) options.run_spread = std::max(0.002, s.between_run_sd);
  return compare(sides, options).sides.at(0);
}

class SameThingTwice : public ::testing::TestWithParam<Scenario> {};

// A whole comparison of 36 cases counts as a false alarm when any case is called different.
TEST_P(SameThingTwice, IsAlmostNeverCalledDifferent) {
  constexpr int kTries = 40;
  int alarms = 0;
  for (std::uint64_t seed = 0; seed < kTries; ++seed) {
    const auto c = once(GetParam(), 1000 + seed, 1);
    alarms += c.count(Verdict::slower) + c.count(Verdict::faster) > 0 ? 1 : 0;
  }
  EXPECT_LE(alarms, kTries / 20);
}

INSTANTIATE_TEST_SUITE_P(
    Noise, SameThingTwice,
    ::testing::Values(Scenario{.name = "quiet", .stated = true},
                      Scenario{.name = "noisy", .noise = 0.1, .stated = true},
                      Scenario{
                          .name = "correlated", .noise = 0.03, .correlation = 0.9, .stated = true},
                      Scenario{.name = "shifted", .between_run_sd = 0.01, .stated = true},
                      Scenario{.name = "shared_machine", .between_run_sd = 0.2},
                      Scenario{.name = "few", .noise = 0.05, .count = 10, .stated = true}),
    [](const auto& scenario) { return std::string(scenario.param.name); });

class FivePercentDelay : public ::testing::TestWithParam<Scenario> {};

TEST_P(FivePercentDelay, IsFound) {
  constexpr int kTries = 20;
  int found = 0;
  int wrong = 0;
  for (std::uint64_t seed = 0; seed < kTries; ++seed) {
    const auto c = once(GetParam(), 2000 + seed, 1.05);
    found += c.count(Verdict::slower) > 0 ? 1 : 0;
    wrong += c.count(Verdict::faster);
  }
  EXPECT_GE(found, GetParam().least_found);
  EXPECT_EQ(wrong, 0);
}

INSTANTIATE_TEST_SUITE_P(
    Noise, FivePercentDelay,
    ::testing::Values(
        Scenario{.name = "quiet", .noise = 0.005, .stated = true},
        // 5 % less the margin is two standard errors of one run a side: seldom enough for 36 cases.
        Scenario{.name = "shifted", .between_run_sd = 0.01, .least_found = 6, .stated = true},
        Scenario{
            .name = "correlated", .noise = 0.01, .correlation = 0.5, .count = 100, .stated = true}),
    [](const auto& scenario) { return std::string(scenario.param.name); });

// One case of many that really changed stands out from the scatter of the others.
TEST(OneChangedCase, IsFoundAndTheOthersAreNot) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const Scenario s{.name = "", .noise = 0.01, .between_run_sd = 0.005};
    auto candidate = made(s, 3000 + seed, 1);
    auto& changed = candidate.records.at(seed);
    for (double& value : changed.series.at(0).values) {
      value *= 1.2;
    }
    const auto id = changed.case_id;
    const std::vector<RunSide> sides = {{.label = "a", .runs = {made(s, 4000 + seed, 1)}},
                                        {.label = "b", .runs = {candidate}}};
    const auto side = compare(sides, {.run_spread = 0.005}).sides.at(0);
    for (const auto& c : side.cases) {
      EXPECT_EQ(c.verdict == Verdict::slower, c.case_id == id) << c.case_id;
    }
  }
}

// The same journal with every sample delayed by 5 % has the same noise: found whatever the noise of
// a good measurement.
TEST(FivePercentDelay, OfACopyIsFoundInTheStep) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const Scenario s{.name = "", .noise = 0.01};
    const auto original = made(s, seed, 1);
    auto copy = original;
    copy.header.run_id += "-delayed";
    for (auto& record : copy.records) {
      for (auto& series : record.series) {
        for (double& value : series.values) {
          value *= 1.05;
        }
      }
    }
    const std::vector<RunSide> sides = {{.label = "a", .runs = {original}},
                                        {.label = "b", .runs = {copy}}};
    EXPECT_TRUE(compare(sides, {.run_spread = 0.005}).has_regression()) << seed;
  }
}

}  // namespace
}  // namespace stepmark
