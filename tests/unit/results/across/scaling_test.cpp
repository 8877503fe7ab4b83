// SPDX-License-Identifier: Apache-2.0
// Efficiency over the number of GPUs: what makes a series, what its base is, what does not count.
#include "results/across/scaling.h"

#include <gtest/gtest.h>

#include "made_providers.h"
#include "results/views/table/scaling_table.h"

namespace stepmark {
namespace {

using made::PlanSpec;

constexpr made::Spread kExact{.between_runs = 0, .within_run = 0};

std::vector<stepmark::Run> runs_of(const std::vector<PlanSpec>& plans, int runs = 1,
                                   const made::Spread& spread = kExact) {
  made::Noise noise(1);
  std::vector<Run> out;
  for (const PlanSpec& plan : plans) {
    for (Run& run : made::provider("p", {plan}, runs, noise, spread).runs) {
      out.push_back(std::move(run));
    }
  }
  return out;
}

TEST(Scaling, WeakIsOneBatchPerGpu) {
  const auto all =
      scaling_of(runs_of({{.plan = "dp=32", .seconds = 1.25, .gpus = 32, .tokens = 32768},
                          {.plan = "dp=8", .seconds = 1, .gpus = 8, .tokens = 8192},
                          {.plan = "dp=16", .seconds = 1.1, .gpus = 16, .tokens = 16384}}));
  ASSERT_EQ(all.size(), 1U);
  EXPECT_TRUE(all[0].weak);
  EXPECT_EQ(all[0].owner, "");
  ASSERT_EQ(all[0].sizes.size(), 3U);
  EXPECT_EQ(all[0].sizes[0].gpus, 8);  // the base, though it was given later
  EXPECT_FALSE(all[0].sizes[0].against_base.efficiency.value);
  EXPECT_EQ(all[0].sizes[2].against_base.base_gpus, 8);
  EXPECT_NEAR(*all[0].sizes[1].against_base.efficiency.value, 1 / 1.1, 1e-12);
  EXPECT_NEAR(*all[0].sizes[2].against_base.efficiency.value, 0.8, 1e-12);
  EXPECT_FALSE(all[0].sizes[2].against_base.efficiency.lower);  // one run has no interval
}

TEST(Scaling, StrongIsTheSameBatch) {
  const auto all = scaling_of(runs_of(
      {{.plan = "dp=8", .seconds = 1, .gpus = 8}, {.plan = "dp=16", .seconds = 0.625, .gpus = 16}},
      3, {.between_runs = 0.01, .within_run = 0.001}));
  ASSERT_EQ(all.size(), 1U);
  EXPECT_FALSE(all[0].weak);
  EXPECT_EQ(all[0].sizes[1].runs, 3);
  const auto& efficiency = all[0].sizes[1].against_base.efficiency;
  EXPECT_NEAR(*efficiency.value, 0.8, 0.03);
  EXPECT_LT(*efficiency.lower, *efficiency.value);
  EXPECT_GT(*efficiency.upper, *efficiency.value);
}

TEST(Scaling, TheBestPlanOfASizeStandsForIt) {
  const auto all = scaling_of(runs_of({{.plan = "dp=8", .seconds = 1, .gpus = 8},
                                       {.plan = "dp=16", .seconds = 0.7, .gpus = 16},
                                       {.plan = "dp=8,tp=2", .seconds = 0.6, .gpus = 16}}));
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].sizes[1].plan, "dp=8,tp=2");
  EXPECT_EQ(all[0].sizes[1].plans, 2);
}

TEST(Scaling, OtherWorkOtherMachinesAndOneSizeMakeNoSeries) {
  EXPECT_TRUE(scaling_of(runs_of({{.gpus = 8}, {.gpus = 8, .tokens = 4096}})).empty());
  // 1.5 times the batch on twice the GPUs is neither weak nor strong.
  EXPECT_TRUE(scaling_of(runs_of({{.gpus = 8}, {.gpus = 16, .tokens = 12288}})).empty());
  EXPECT_TRUE(scaling_of(runs_of({{.gpus = 8}, {.gpus = 16, .precision = "fp8"}})).empty());
  auto runs = runs_of({{.gpus = 8}, {.gpus = 16}});
  EXPECT_EQ(scaling_of(runs).size(), 1U);
  const std::vector<std::string> owners{"a", "b"};
  EXPECT_TRUE(scaling_of(runs, owners).empty());
  runs[1].records[0].texts.emplace_back("cluster", "elsewhere");
  EXPECT_TRUE(scaling_of(runs).empty());
}

TEST(Scaling, AStepWhoseCheckFailedDoesNotCount) {
  auto runs = runs_of({{.gpus = 8}, {.gpus = 16}});
  runs[1].records[0].checks[0].passed = false;
  EXPECT_TRUE(scaling_of(runs).empty());
}

TEST(Scaling, TheTableNamesItsBase) {
  const auto runs = runs_of(
      {{.plan = "dp=8", .seconds = 1, .gpus = 8}, {.plan = "dp=16", .seconds = 0.625, .gpus = 16}});
  const std::string text = scaling_table(runs);
  EXPECT_NE(text.find("Scaling (strong), w: base 8"), std::string::npos) << text;
  EXPECT_NE(text.find("80.0 %"), std::string::npos) << text;
  EXPECT_EQ(scaling_table(std::vector{runs[0]}), "");
}

}  // namespace
}  // namespace stepmark
