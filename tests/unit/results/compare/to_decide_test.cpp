// SPDX-License-Identifier: Apache-2.0
// What would decide, held against figures that can be computed by hand from a known spread.
#include "results/compare/to_decide.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "results/compare/case_statistics.h"
#include "results/compare/next_runs.h"
#include "results/views/words/comparison_words.h"

namespace stepmark {
namespace {

using ::testing::HasSubstr;

constexpr double kKnown = 1e6;  // degrees of freedom

// Three runs a side of which one differs from another by `sd`, known exactly.
CaseStatistics with_spread(double sd, double sampled_sd = 0) {
  CaseStatistics out;
  out.run_errors = {.common = {.sd = 0, .freedom = kKnown},
                    .own = {.sd = sd, .freedom = kKnown},
                    .sampled_sd = sampled_sd,
                    .baseline_runs = 3,
                    .candidate_runs = 3};
  return out;
}

// sd of the ratio = sd sqrt(2 / runs). Found: (z.975 + z.90) of it within ln 1.04 - ln 1.02; called
// same: (z.95 + z.95) of it within ln 1.02.
int by_hand(double sd) {
  const double find = (1.959964 + 1.281552) * sd / (std::log(1.04) - std::log(1.02));
  const double same = (1.644854 + 1.644854) * sd / std::log(1.02);
  return static_cast<int>(std::ceil(2 * std::max(find * find, same * same)));
}

TEST(ToDecide, CountsRunsAsByHand) {
  for (const double sd : {0.01, 0.013, 0.02}) {
    const ToDecide need = to_decide(with_spread(sd), {}, 1);
    EXPECT_EQ(need.need, Need::runs);
    EXPECT_NEAR(need.runs, by_hand(sd), 1) << sd;
    EXPECT_EQ(need.more_baseline, need.runs - 3);
    EXPECT_EQ(need.more_candidate, need.runs - 3);
    EXPECT_GE(need.power, 0.9);
    EXPECT_LT(need.power, 0.95);
  }
}

TEST(ToDecide, MoreCasesLessKnowledgeAndMorePowerNeedMoreRuns) {
  const int one = to_decide(with_spread(0.02), {}, 1).runs;
  EXPECT_GT(to_decide(with_spread(0.02), {}, 20).runs, one);
  auto few = with_spread(0.02);
  few.run_errors.own.freedom = 4;
  EXPECT_GT(to_decide(few, {}, 1).runs, one);
  CompareOptions options;
  options.power = 0.99;
  EXPECT_GT(to_decide(with_spread(0.02), options, 1).runs, one);
  options = {.margin = 0.01};
  options.smallest = 0.05;  // found by few; that there is none is harder to tell
  EXPECT_GT(to_decide(with_spread(0.02), options, 1).runs, one);
}

TEST(ToDecide, UnequalSidesAreMadeEqual) {
  auto statistics = with_spread(0.01);
  statistics.run_errors.baseline_runs = 5;
  statistics.run_errors.candidate_runs = 3;
  const ToDecide need = to_decide(statistics, {}, 1);
  EXPECT_EQ(need.more_candidate - need.more_baseline, 2);
  EXPECT_EQ(need_text(need), fmt::format("+{}/+{} runs", need.runs - 5, need.runs - 3));
}

TEST(ToDecide, ChanceOfSamplesAsksForMoreOfThem) {
  const ToDecide need = to_decide(with_spread(0.04, 0.0399), {}, 1);
  EXPECT_EQ(need.need, Need::samples);
  EXPECT_GT(need.samples_factor, 1);
  EXPECT_LT(need.runs, by_hand(0.04) / 3);
  EXPECT_EQ(to_decide(with_spread(0.04, 0.004), {}, 1).need, Need::runs);
}

TEST(ToDecide, TheOnlyCaseHasItsSamplesChanceInTheSharedPart) {
  auto statistics = with_spread(0.04, 0.0399);
  std::swap(statistics.run_errors.common, statistics.run_errors.own);
  EXPECT_EQ(to_decide(statistics, {}, 1).need, Need::samples);
}

TEST(ToDecide, AnUnknownSpreadIsMeasuredFirst) {
  auto statistics = with_spread(0.01);
  statistics.spread = Spread::generous;
  statistics.run_errors.baseline_runs = statistics.run_errors.candidate_runs = 1;
  const ToDecide need = to_decide(statistics, {}, 1);
  EXPECT_EQ(need.need, Need::spread);
  EXPECT_EQ(need.more_baseline, kFewestRunsOfSpread - 1);
  EXPECT_EQ(need_text(need), "+3 runs?");
}

TEST(ToDecide, SaysWhereNoNumberOfRunsWould) {
  const ToDecide noisy = to_decide(with_spread(0.5), {}, 1);
  EXPECT_EQ(noisy.need, Need::no_runs);
  EXPECT_THAT(noisy.why, HasSubstr("differ by so much"));
  auto coarse = with_spread(0.001);
  coarse.run_errors.tick_sd = 0.05;
  const ToDecide clock = to_decide(coarse, {}, 1);
  EXPECT_EQ(clock.need, Need::no_runs);
  EXPECT_THAT(clock.why, HasSubstr("clock"));
  // Runs enough for what matters, and undecided: the ratio is at the margin.
  auto at_margin = with_spread(0.001);
  at_margin.ratio = 1.02001;
  const ToDecide margin = to_decide(at_margin, {}, 1);
  EXPECT_EQ(margin.need, Need::no_runs);
  EXPECT_THAT(margin.why, HasSubstr("so near to the margin"));
  at_margin.ratio = 1.0212;
  const ToDecide near = to_decide(at_margin, {}, 1);
  EXPECT_EQ(near.need, Need::runs);
  EXPECT_NEAR(near.from_margin, std::log(1.0212) - std::log(1.02), 1e-12);
}

TEST(InTurns, BothSidesAreFirstAsOftenAndTheSeedDrawsTheOrder) {
  const auto order = in_turns(6, 6, 7);
  ASSERT_EQ(order.size(), 12U);
  int candidate_first = 0;
  for (std::size_t i = 0; i < order.size(); i += 2) {
    EXPECT_NE(order[i].candidate, order[i + 1].candidate) << "one of each in a block";
    candidate_first += order[i].candidate ? 1 : 0;
  }
  EXPECT_EQ(candidate_first, 3);
  const auto differs = [&](std::uint64_t seed) {
    const auto other = in_turns(6, 6, seed);
    return !std::equal(order.begin(), order.end(), other.begin(),
                       [](const auto& x, const auto& y) { return x.candidate == y.candidate; });
  };
  EXPECT_FALSE(differs(7));
  EXPECT_TRUE(differs(8) || differs(9) || differs(10) || differs(11));
}

TEST(InTurns, UnequalNumbersAreSpread) {
  const auto order = in_turns(2, 6, 1);
  ASSERT_EQ(order.size(), 8U);
  EXPECT_EQ(std::count_if(order.begin(), order.end(), [](const auto& r) { return r.candidate; }),
            6);
  const auto first_half = std::count_if(order.begin(), order.begin() + 4,
                                        [](const auto& run) { return !run.candidate; });
  EXPECT_EQ(first_half, 1);
  EXPECT_TRUE(in_turns(0, 0, 1).empty());
}

}  // namespace
}  // namespace stepmark
