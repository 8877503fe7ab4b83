// SPDX-License-Identifier: Apache-2.0
#include "harness/measure/stop_rule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/rng.h"
#include "core/stats.h"

namespace stepmark {
namespace {

constexpr Precision kPoor{.steady_samples = 50, .effective_samples = 50, .half_width = 0.5};
const StopRule kRule{
    .precision = 0.01, .min_samples = 10, .max_samples = 100, .budget_s = 10, .span_s = 0};

TEST(Decide, FirstLookFindsOutTheCost) {
  const Precision none{.steady_samples = 0, .effective_samples = 0, .half_width = HUGE_VAL};
  EXPECT_EQ(decide(kRule, 0, none, 0, 0).next, 1);
  EXPECT_EQ(decide(kRule, 0, none, 0.1, 0.01).next, 10);
}

TEST(Decide, BatchesGrowAndRespectRoomAndTime) {
  EXPECT_EQ(decide(kRule, 40, kPoor, 0, 0.001).next, 10);
  EXPECT_EQ(decide(kRule, 96, kPoor, 0, 0.001).next, 4);
  EXPECT_EQ(decide(kRule, 40, kPoor, 9.55, 0.1).next, 4);
  EXPECT_EQ(decide(kRule, 40, kPoor, 9.95, 0.1), (Decision{0, 1, StopReason::budget}));
  EXPECT_EQ(decide(kRule, 100, kPoor, 0, 0.001), (Decision{0, 1, StopReason::max_samples}));
}

TEST(Decide, PrecisionComesFirstButNeedsSteadySamples) {
  const Precision good{.steady_samples = 10, .effective_samples = 40, .half_width = 0.009};
  EXPECT_EQ(decide(kRule, 100, good, 99, 1), (Decision{0, 1, StopReason::precision}));
  const Precision young{.steady_samples = 9, .effective_samples = 40, .half_width = 0.009};
  EXPECT_EQ(decide(kRule, 12, young, 0, 0.001).next, 3);
}

TEST(Decide, PrecisionNeedsEffectiveSamplesOrSaysSo) {
  const Precision few{.steady_samples = 60, .effective_samples = 39, .half_width = 0.001};
  EXPECT_EQ(decide(kRule, 60, few, 0, 0.001).next, 15);
  EXPECT_EQ(decide(kRule, 100, few, 0, 0.001), (Decision{0, 1, StopReason::max_samples, true}));
  EXPECT_EQ(decide(kRule, 60, few, 10, 1), (Decision{0, 1, StopReason::budget, true}));
}

TEST(Decide, SamplesAreSpreadOverTheSpan) {
  StopRule rule = kRule;
  rule.span_s = 1;
  const Precision good{.steady_samples = 40, .effective_samples = 40, .half_width = 0.009};
  EXPECT_EQ(decide(rule, 40, good, 0.99, 0.001), (Decision{.next = 10, .stride = 40}));
  EXPECT_EQ(decide(rule, 40, good, 1.01, 0.001), (Decision{0, 1, StopReason::precision}));
  EXPECT_EQ(decide(rule, 40, kPoor, 2, 0.1).stride, 1) << "they lie further apart by themselves";
  rule.budget_s = 0.1;  // too short for it: most of the budget
  EXPECT_EQ(decide(rule, 40, good, 0.079, 0.0001), (Decision{.next = 6, .stride = 32}));
  EXPECT_EQ(decide(rule, 40, good, 0.081, 0.0001), (Decision{0, 1, StopReason::precision}));
}

// Stopping on the width looks again and again; the interval at the end must still cover.
TEST(Decide, IntervalsCoverWhereSamplingStopped) {
  constexpr int kSeries = 300;
  const StopRule rule{.max_samples = 4000, .budget_s = 1e9, .span_s = 0};
  for (const double phi : {0.0, 0.5, 0.8}) {
    int covered = 0;
    for (int s = 0; s < kSeries; ++s) {
      const Philox random(71, static_cast<std::uint64_t>(s));
      std::vector<double> x;
      double state = random.normal(0);
      for (;;) {
        const auto decision = decide(rule, static_cast<int>(x.size()), precision_of(x), 0, 0.001);
        if (decision.next == 0) break;
        for (int i = 0; i < decision.next; ++i) {
          state = phi * state + std::sqrt(1 - phi * phi) * random.normal(x.size() + 1);
          x.push_back(1 + 0.03 * state);
        }
      }
      const auto steady = std::span(x).subspan(steady_state_start(x));
      const Interval interval = estimate_median(steady).interval;
      covered += interval.lower <= 1 && 1 <= interval.upper ? 1 : 0;
    }
    EXPECT_GE(covered, 0.91 * kSeries) << phi;  // 93 % less the error of 300 series
  }
}

TEST(Decision, SurvivesTheWire) {
  for (const Decision& decision :
       {Decision{17, 9, StopReason::precision}, Decision{0, 1, StopReason::budget, true}}) {
    EXPECT_EQ(decision_from_text(to_text(decision)), decision);
  }
  for (const char* text :
       {"", "5", "5 9", "x 1", "5 1", "5 1 2", "5 1 0 7", "5 0 0 1", "5 1 9 0", "5 1 0 1 2"}) {
    EXPECT_THROW(static_cast<void>(decision_from_text(text)), Error) << text;
  }
}

TEST(PrecisionOf, IgnoresTheTransient) {
  std::vector<double> time_s;
  for (unsigned i = 0; i < 120; ++i) {
    time_s.push_back(1 + 0.001 * Philox(1, 1).normal(i) + 5 * std::exp(-0.2 * i));
  }
  const Precision precision = precision_of(time_s);
  EXPECT_LT(precision.steady_samples, 110);
  EXPECT_GT(precision.steady_samples, 59);
  EXPECT_LT(precision.half_width, 0.002);
}

TEST(PrecisionOf, FewOrZeroTimesAreNotPrecise) {
  EXPECT_TRUE(std::isinf(precision_of({}).half_width));
  EXPECT_TRUE(std::isinf(precision_of(std::vector<double>{1, 1, 1}).half_width));
  EXPECT_TRUE(std::isinf(precision_of(std::vector<double>(50, 0.0)).half_width));
}

}  // namespace
}  // namespace stepmark
