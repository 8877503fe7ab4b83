// SPDX-License-Identifier: Apache-2.0
// Costs and break-even prices against sums done by hand, in comments beside them.
#include "results/money/cost.h"

#include <gtest/gtest.h>

namespace stepmark {
namespace {

TEST(Cost, PerTokenPerStepAndDelivered) {
  // 8 GPUs at 2,000 tokens/s each, 4.50 per GPU-hour: 36.00 buys 57.6e6 tokens: 0.625 per 1e6.
  const Measured rate{2000.0, 1800.0, 2500.0};
  const Figure cost = cost_per_million_tokens(rate, 4.5);
  EXPECT_DOUBLE_EQ(*cost.value, 0.625);
  EXPECT_DOUBLE_EQ(*cost.lower, 0.5);  // at 2,500
  EXPECT_DOUBLE_EQ(*cost.upper, 0.625 / 0.9);
  EXPECT_DOUBLE_EQ(*tokens_per_money(rate, 4.5).value, 1.6e6);
  // A step of 0.5 s on 8 GPUs: 8 x 4.50 / 7200 = 0.005.
  EXPECT_DOUBLE_EQ(*cost_per_step({0.5}, 8, 4.5).value, 0.005);
  EXPECT_DOUBLE_EQ(*delivered_cost(cost, 0.8).value, 0.78125);
  EXPECT_FALSE(cost_per_million_tokens({}, 4.5).value);
}

TEST(Cost, OfASlowdownPerMonth) {
  // 64 GPUs at 2.50 for 730 h are 116,800; 2 % of it.
  const Measured cost = slowdown_cost_per_month({1.02, 1.01, 1.03}, 64, 2.5);
  EXPECT_NEAR(*cost.value, 2336, 1e-6);
  EXPECT_NEAR(*cost.lower, 1168, 1e-6);
  EXPECT_NEAR(*cost.upper, 3504, 1e-6);
  EXPECT_LT(*slowdown_cost_per_month({0.99}, 64, 2.5).value, 0);
}

// Three by hand.
TEST(BreakEven, OfASlowerProvider) {
  // B asks 2.99 and does 2,000 tokens/s/GPU, A 1,900, between 1,860 and 1,940:
  // 2.99 x 0.95 = 2.8405; 2.99 x 0.93 = 2.7807; 2.99 x 0.97 = 2.9003.
  const Measured price = break_even_price(2.99, {0.95, 0.93, 0.97});
  EXPECT_DOUBLE_EQ(*price.value, 2.8405);
  EXPECT_DOUBLE_EQ(*price.lower, 2.7807);
  EXPECT_DOUBLE_EQ(*price.upper, 2.9003);
}

TEST(BreakEven, WithGoodputOfBoth) {
  // A is as fast and loses 10 % of the time where B loses 4 %: 4.00 x 0.90 / 0.96 = 3.75.
  EXPECT_DOUBLE_EQ(*break_even_price(4, {1.0}, {.goodput = 0.9}, {.goodput = 0.96}).value, 3.75);
}

TEST(BreakEven, WithCostsBeside) {
  // B: 3.00 and 0.20 for egress per GPU-hour; A is 25 % faster and pays 0.10: 3.20 x 1.25 - 0.10.
  const auto price =
      break_even_price(3, {1.25}, {.extra_per_gpu_hour = 0.1}, {.extra_per_gpu_hour = 0.2});
  EXPECT_DOUBLE_EQ(*price.value, 3.9);
  EXPECT_FALSE(price.lower);
}

TEST(BreakEven, IsWhereBothCostTheSame) {
  const double a_rate = 1234.5;
  const double b_rate = 1717.0;
  const double price = *break_even_price(2.17, {a_rate / b_rate}).value;
  EXPECT_NEAR(*cost_per_million_tokens({a_rate}, price).value,
              *cost_per_million_tokens({b_rate}, 2.17).value, 1e-12);
}

}  // namespace
}  // namespace stepmark
