// SPDX-License-Identifier: Apache-2.0
// Allocations recomputed by hand, decisions at rates with intervals, and mistakes in a mix.
#include "results/portfolio/portfolio.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "core/rng.h"
#include "generated_mix.h"

namespace stepmark {
namespace {

using ::testing::HasSubstr;

constexpr double kMonthHours = 730;

PortfolioRate rate(double median, double half_width = 0) {
  return {.median = median, .lower = median * (1 - half_width), .upper = median / (1 - half_width)};
}

// One workload of 1e12 tokens. `a`: 2 a GPU-hour, 10,000 tokens/s; `b`: 3, 20,000. By hand: all at
// b takes 1e12 / (20,000 x 3600) = 13,888.9 GPU-hours, 41,666.67; all at a 27,777.8, 55,555.56.
PortfolioProblem one_workload(std::string_view more = "") {
  const std::string text = fmt::format(
      "mix: m\nproviders:\n  - {{provider: a, gpus: 100}}\n  - {{provider: b, gpus: 100}}\n"
      "workloads:\n  - {{workload: x, tokens_per_month: 1e12{}}}\n",
      more);
  return {.mix = parse_mix(text, "mix.yaml"),
          .price_per_gpu_hour = {2, 3},
          .rates = {{rate(10'000), rate(20'000)}},
          .goodput = {1, 1}};
}

TEST(Portfolio, TheCheaperTokensWinNotTheCheaperHours) {
  const Portfolio out = analyse(one_workload());
  ASSERT_EQ(out.cheapest.why, "");
  EXPECT_NEAR(out.cheapest.cost_per_month, 1e12 / (20'000 * 3600.0) * 3, 1e-6);
  EXPECT_NEAR(out.cheapest.share[0][1], 1, 1e-9);
  EXPECT_NEAR(out.cheapest.gpu_hours[1], 13'888.889, 1e-3);
  EXPECT_NEAR(*out.worth[0].alone, 55'555.556, 1e-3);
  EXPECT_NEAR(*out.worth[1].alone, 41'666.667, 1e-3);
  EXPECT_NEAR(*out.worth[0].used_below, 1.5, 2e-3);  // 3 x 10,000 / 20,000
  EXPECT_FALSE(out.worth[1].used_below.has_value());
  EXPECT_NEAR(out.worth[1].one_more_node, 0, 1e-6);  // there are enough
}

TEST(Portfolio, GoodputMakesHoursLonger) {
  PortfolioProblem problem = one_workload();
  problem.goodput = {1, 0.5};
  EXPECT_NEAR(analyse(problem).cheapest.cost_per_month, 55'555.556, 1e-3);
}

// 5 days of 100 GPUs at b are 12,000 of 13,888.9 hours, 0.864 of the tokens, 36,000; the other
// 0.136 at a take 3,777.8 hours, 7,555.56. 8 GPUs more at b do 0.06912 more, which saves that share
// of the 13,888.89 between both.
TEST(Portfolio, ADeadlineMovesWhatDoesNotFit) {
  PortfolioProblem problem = one_workload();
  problem.mix.workloads[0].deadline_days = 5;
  const Portfolio out = analyse(problem);
  EXPECT_NEAR(out.cheapest.share[0][1], 0.864, 1e-9);
  EXPECT_NEAR(out.cheapest.cost_per_month, 43'555.556, 1e-3);
  EXPECT_NEAR(out.worth[1].one_more_node, 0.06912 * 13'888.889, 1e-2);
  EXPECT_FALSE(out.worth[1].alone.has_value());
  EXPECT_THAT(out.worth[1].alone_why, HasSubstr("86 % of its tokens until"));
}

// Earlier deadlines go first and take the GPUs from later ones.
TEST(Portfolio, DeadlinesOfSeveralWorkloadsAreMetTogether) {
  PortfolioProblem problem = one_workload();
  problem.mix.workloads[0].deadline_days = 10;  // 24,000 GPU-hours of b until then, 13,888.9 used
  problem.mix.workloads.push_back(problem.mix.workloads.front());
  problem.rates.push_back({rate(10'000), rate(20'000)});
  // Both: 27,777.8 hours, 24,000 fit; 3,777.8 hours' worth of tokens take twice that at a.
  const Allocation out = cheapest(problem);
  EXPECT_NEAR(out.gpu_hours[1], 24'000, 1e-6);
  EXPECT_NEAR(out.cost_per_month, 24'000 * 3 + 2 * 3'777.778 * 2, 1e-2);
}

TEST(Portfolio, AMinimumIsPaidWhollyOrNotAtAll) {
  PortfolioProblem problem = one_workload();
  problem.mix.providers[1].minimum_gpus = 50;  // 109,500 a month
  Allocation out = cheapest(problem);
  EXPECT_NEAR(out.cost_per_month, 55'555.556, 1e-3);
  EXPECT_NEAR(out.paid_gpu_hours[1], 0, 1e-6);
  problem.mix.providers[1].committed = true;  // owed anyway: then it is used
  out = cheapest(problem);
  EXPECT_NEAR(out.cost_per_month, 50 * kMonthHours * 3, 1e-3);
  EXPECT_NEAR(out.share[0][1], 1, 1e-9);
}

TEST(Portfolio, AWorkloadStaysWhereTheMeasurementsDoNotDecide) {
  PortfolioProblem problem = one_workload(", now: a");
  problem.rates[0] = {rate(10'000, 0.01), rate(15'300, 0.01)};  // b costs 2 % less, +-1.4 %
  Portfolio out = analyse(problem);
  EXPECT_TRUE(out.moves[0].wanted);
  EXPECT_TRUE(out.moves[0].decided);
  EXPECT_GT(out.moves[0].lower, 0);
  EXPECT_NEAR(out.advised.share[0][1], 1, 1e-9);
  EXPECT_NEAR(*out.now, 55'555.556, 1e-3);

  problem.rates[0] = {rate(10'000, 0.05), rate(15'300, 0.05)};  // +-7 %
  out = analyse(problem);
  EXPECT_TRUE(out.moves[0].wanted);
  EXPECT_FALSE(out.moves[0].decided);
  EXPECT_LT(out.moves[0].lower, 0);
  EXPECT_NEAR(out.cheapest.share[0][1], 1, 1e-9);
  EXPECT_NEAR(out.advised.share[0][0], 1, 1e-9);
  EXPECT_LT(out.lower, 55'555);
  EXPECT_GT(out.upper, 55'556);
}

TEST(Portfolio, ARateOfOneRunDecidesNothing) {
  PortfolioProblem problem = one_workload(", now: a");
  problem.rates[0] = {rate(10'000, 0.01), PortfolioRate{.median = 20'000}};
  const Portfolio out = analyse(problem);
  EXPECT_TRUE(out.moves[0].wanted);
  EXPECT_TRUE(out.moves[0].without_interval);
  EXPECT_FALSE(out.moves[0].decided);
  EXPECT_NEAR(out.advised.share[0][0], 1, 1e-9);
}

// Truly equal providers: a move may be called decided in at most 5 % of the cases.
TEST(Portfolio, EqualProvidersSeldomMoveAWorkload) {
  constexpr int kCases = 400;
  constexpr double kSpread = 0.02;
  const Philox random(7, 0);
  int moved = 0;
  for (int i = 0; i < kCases; ++i) {
    PortfolioProblem problem = one_workload(", now: a");
    problem.price_per_gpu_hour = {2, 2};
    for (std::size_t p = 0; p < 2; ++p) {
      const double median =
          10'000 * std::exp(kSpread * random.normal(static_cast<std::uint64_t>(2 * i) + p));
      problem.rates[0][p] = {.median = median,
                             .lower = median * std::exp(-1.96 * kSpread),
                             .upper = median * std::exp(1.96 * kSpread)};
    }
    const Portfolio out = analyse(problem);
    moved += out.moves[0].wanted && out.moves[0].decided ? 1 : 0;
  }
  EXPECT_LE(moved, kCases * 7 / 100);  // 5 %, and twice the standard error of 400 cases
  EXPECT_GT(moved, 0);
}

std::vector<std::vector<double>> medians_of(const PortfolioProblem& problem) {
  std::vector<std::vector<double>> out;
  for (const auto& of_workload : problem.rates) {
    auto& row = out.emplace_back();
    for (const auto& one : of_workload) row.push_back(one ? one->median : 1);
  }
  return out;
}

// A solver's rounding leaves 1e-15 of a workload somewhere: it must not owe that provider's minimum
// in the cost at resampled rates, which at the medians is the cost itself.
TEST(Portfolio, RoundingOwesNoMinimum) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const PortfolioProblem problem = generated_mix(seed);
    const Portfolio out = analyse(problem);
    ASSERT_EQ(out.cheapest.why, "");
    const auto medians = medians_of(problem);
    for (const Allocation* one : {&out.cheapest, &out.advised}) {
      EXPECT_NEAR(cost_of(problem, *one, medians) / one->cost_per_month, 1, 1e-6) << "mix " << seed;
    }
  }
}

TEST(Portfolio, DrawsAreThoseOfASeedAndOfMeasuredRates) {
  PortfolioProblem problem = one_workload();
  problem.rates[0][0].reset();
  const std::vector<int> draws = portfolio_draws(problem);
  ASSERT_EQ(draws.size(), 2U * kPortfolioSamples);
  EXPECT_EQ(draws, portfolio_draws(problem));
  double squares = 0;
  for (std::size_t i = 0; i < draws.size(); i += 2) {
    EXPECT_EQ(draws[i], 0);
    squares += std::pow(draws[i + 1] / 1000.0, 2);
  }
  EXPECT_NEAR(squares / kPortfolioSamples, 1, 0.15);  // a variance of 1, three standard errors
}

TEST(Portfolio, WhatCannotRunIsSaid) {
  PortfolioProblem problem = one_workload();
  problem.rates[0] = {std::nullopt, std::nullopt};
  EXPECT_THAT(analyse(problem).cheapest.why, HasSubstr("x: no provider that it may run on has"));
  problem = one_workload();
  problem.mix.workloads[0].tokens_per_month = 1e14;
  EXPECT_THAT(analyse(problem).cheapest.why, HasSubstr("do 8 % of its tokens until its deadline"));
  EXPECT_NEAR(analyse(one_workload(", may_run_on: [a]")).cheapest.share[0][0], 1, 1e-9);
}

TEST(Mix, MistakesNameTheirPlace) {
  const auto error = [](std::string_view text) -> std::string {
    try {
      static_cast<void>(parse_mix(text, "m.yaml"));
    } catch (const Error& e) {
      return e.what();
    }
    return "accepted";
  };
  const auto of = [&](const char* workloads) {
    return error(
        fmt::format("mix: m\nproviders:\n  - {{provider: a, gpus: 8, minimum_gpus: 8}}\n"
                    "workloads: [{}]\n",
                    workloads));
  };
  EXPECT_EQ(of("{workload: x, tokens_per_month: 1e9}"), "accepted");
  EXPECT_THAT(of("{workload: x, tokens_per_month: 1e9, may_run_on: [b]}"), HasSubstr("m.yaml:4:"));
  EXPECT_THAT(of("{workload: x, tokens_per_month: 1e9, deadline_days: 40}"),
              HasSubstr("deadline_days"));
  EXPECT_THAT(of("{workload: x, tokens_per_month: 1}, {workload: x, tokens_per_month: 1}"),
              HasSubstr("twice"));
  EXPECT_THAT(
      error("mix: m\nproviders: [{provider: a, gpus: 8, minimum_gpus: 9}]\nworkloads: []\n"),
      HasSubstr("9 GPUs are owed and 8 can be had"));
  EXPECT_THAT(error("mix: m\nproviders: [{provider: a, gpus: 8}]\n"), HasSubstr("no workloads"));
  EXPECT_THAT(error("mix: m\nproviders: [{provider: a, gpsu: 8}]\n"), HasSubstr("gpus"));
}

}  // namespace
}  // namespace stepmark
