// SPDX-License-Identifier: Apache-2.0
#include "harness/measure/stop_rule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/rng.h"

namespace stepmark {
namespace {

constexpr Precision kPoor{.steady_samples = 50, .half_width = 0.5};
const StopRule kRule{
    .precision = 0.01, .min_samples = 10, .max_samples = 100, .budget_s = 10, .warmup = 2};

TEST(Decide, FirstLookFindsOutTheCost) {
  const Precision none{.steady_samples = 0, .half_width = HUGE_VAL};
  EXPECT_EQ(decide(kRule, 0, none, 0, 0).next, 1);
  EXPECT_EQ(decide(kRule, 0, none, 0.1, 0.01).next, 10);
}

TEST(Decide, BatchesGrowAndRespectRoomAndTime) {
  EXPECT_EQ(decide(kRule, 40, kPoor, 0, 0.001).next, 10);
  EXPECT_EQ(decide(kRule, 96, kPoor, 0, 0.001).next, 4);
  EXPECT_EQ(decide(kRule, 40, kPoor, 9.55, 0.1).next, 4);
  EXPECT_EQ(decide(kRule, 40, kPoor, 9.95, 0.1), (Decision{0, StopReason::budget}));
  EXPECT_EQ(decide(kRule, 100, kPoor, 0, 0.001), (Decision{0, StopReason::max_samples}));
}

TEST(Decide, PrecisionComesFirstButNeedsSteadySamples) {
  const Precision good{.steady_samples = 10, .half_width = 0.009};
  EXPECT_EQ(decide(kRule, 100, good, 99, 1), (Decision{0, StopReason::precision}));
  const Precision young{.steady_samples = 9, .half_width = 0.009};
  EXPECT_EQ(decide(kRule, 12, young, 0, 0.001).next, 3);
}

TEST(Decision, SurvivesTheWire) {
  for (const Decision& decision :
       {Decision{17, StopReason::precision}, Decision{0, StopReason::budget}}) {
    EXPECT_EQ(decision_from_text(to_text(decision)), decision);
  }
  for (const char* text : {"", "5", "5 9", "x 1"}) {
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
