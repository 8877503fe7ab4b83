// SPDX-License-Identifier: Apache-2.0
// Providers against each other: what may differ and what may not, which plan stands for a provider,
// and what the verdicts come to in money.
#include "results/across/across.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "made_providers.h"
#include "results/families/ablation.h"
#include "results/money/calendar.h"
#include "results/record/common_facts.h"

namespace stepmark {
namespace {

using made::PlanSpec;
using ::testing::HasSubstr;

AcrossOptions options(const std::string& prices = "") {
  AcrossOptions out{.today = *parse_day("2026-11-29")};
  if (!prices.empty()) out.prices = parse_prices(prices, "p.yaml");
  return out;
}

constexpr const char* kPrices =
    "prices: x\ncurrency: USD\ndate: 2026-11-01\nsource: s\nproviders:\n"
    "  - {provider: A, goodput: 1, prices: [{kind: on-demand, per_gpu_hour: 3}]}\n"
    "  - {provider: B, goodput: 0.8, prices: [{kind: on-demand, per_gpu_hour: 2},"
    " {kind: spot, per_gpu_hour: 1}]}\n";

TEST(Across, HardwareStackAndPlanMayDiffer) {
  made::Noise noise(1);
  // Twice the GPUs, 0.8 of the time: 1.6 times the GPU-seconds.
  const std::vector<Provider> providers = {
      made::provider("A", {{.plan = "dp=8,tp=1", .seconds = 1, .gpus = 8}}, 4, noise),
      made::provider("B", {{.plan = "dp=4,tp=4", .seconds = 0.8, .gpus = 16}}, 4, noise)};
  const Across result = across(providers, options());
  ASSERT_EQ(result.works.size(), 1U);
  EXPECT_EQ(result.works[0].refused, "");
  const PairVerdict& pair = result.works[0].pairs.at(0);
  EXPECT_NEAR(*pair.rate_ratio.value, 1.6, 0.05);
  EXPECT_EQ(pair.verdict, Verdict::slower);  // B, per GPU
  EXPECT_EQ(pair.spread, Spread::measured);
  EXPECT_EQ(exit_code(result), ExitCode::kOk);
  EXPECT_EQ(result.works[0].best[0].selection, Selection::only_one);
  // 8192 tokens in about 1 s on 8 GPUs.
  EXPECT_NEAR(*result.works[0].best[0].figures.at(1).value, 1024, 40);
  EXPECT_TRUE(result.works[0].best[0].figures.at(1).lower);
}

TEST(Across, OtherWorkIsRefusedWithWhatDiffers) {
  struct {
    PlanSpec other;
    const char* what;
  } const kOthers[] = {
      {{.tokens = 4096}, "tokens per step is 8192 and 4096"},
      {{.plan = "dp=8,tp=1,seq=2048"}, "sequence is not stated and 2048"},
      {{.precision = "fp8"}, "precision is bf16 and fp8"},
      {{.plan = "dp=8,tp=1,clip=0"}, "gradient clip is not stated and 0"},
      {{.parameters = 2e9}, "parameters is 1000000000 and 2000000000"},
      {{.version = "9.9"}, "method is stepmark 1.0 and stepmark 9.9"},
  };
  for (const auto& [other, what] : kOthers) {
    made::Noise noise(2);
    const std::vector<Provider> providers = {made::provider("A", {{}}, 3, noise),
                                             made::provider("B", {other}, 3, noise)};
    const Across result = across(providers, options());
    EXPECT_EQ(result.compared(), 0);
    EXPECT_THAT(result.works.at(0).refused, HasSubstr(what));
    EXPECT_EQ(exit_code(result), ExitCode::kNotMeasured);
  }
}

TEST(Across, AFailedCheckIsNoPlan) {
  made::Noise noise(3);
  std::vector<Provider> providers = {made::provider("A", {{}}, 3, noise),
                                     made::provider("B", {{}}, 3, noise)};
  providers[1].runs[2].records[0].checks[0].passed = false;
  const Across result = across(providers, options());
  EXPECT_EQ(result.compared(), 0);
  EXPECT_THAT(result.works.at(0).refused, HasSubstr("B has no plan that counts"));
  EXPECT_THAT(result.works.at(0).refused, HasSubstr("check failed"));
}

// Half as long, and no training step.
TEST(Across, AStepWithoutAPartIsNoPlan) {
  made::Noise noise(3);
  std::vector<Provider> providers = {made::provider("A", {{}}, 3, noise),
                                     made::provider("B", {{}}, 3, noise)};
  for (auto& run : providers[1].runs) {
    Record part = run.records.at(0);
    part.case_id = "ablation/" + part.case_id + "/dp";
    part.family = facts::ablation::kFamily;
    std::erase_if(part.texts, [](const auto& text) { return text.first != facts::kTitle; });
    part.texts.emplace_back(facts::ablation::kWorkload, run.records[0].text("workload"));
    part.texts.emplace_back(facts::ablation::kPlan, run.records[0].text("plan"));
    for (double& value : part.series.at(0).values) value /= 2;
    run.records.push_back(std::move(part));
  }
  const Across result = across(providers, options());
  ASSERT_EQ(result.works.size(), 1U);
  EXPECT_EQ(result.works[0].best.at(1).plans.at(0).case_id,
            providers[1].runs[0].records[0].case_id);
  EXPECT_EQ(result.works[0].best.at(1).selection, Selection::only_one);
  EXPECT_NEAR(*result.works[0].pairs.at(0).rate_ratio.value, 1, 0.05);
}

TEST(Across, TheBestPlanIsConfirmedOnOtherRuns) {
  made::Noise noise(4);
  const std::vector<PlanSpec> plans = {{.plan = "tp=1"}, {.plan = "tp=2", .seconds = 0.5}};
  const auto confirmed = across(std::vector<Provider>{made::provider("A", plans, 5, noise),
                                                      made::provider("B", {{}}, 5, noise)},
                                options());
  const BestPlan& best = confirmed.works.at(0).best.at(0);
  EXPECT_EQ(best.plans.front().plan, "tp=2");
  EXPECT_EQ(best.selection, Selection::confirmed);
  EXPECT_EQ(best.runs, 3);  // two of five chose
  EXPECT_EQ(best.correction, 1);
  const auto corrected = across(std::vector<Provider>{made::provider("A", plans, 1, noise),
                                                      made::provider("B", plans, 1, noise)},
                                options());
  EXPECT_EQ(corrected.works.at(0).best.at(0).selection, Selection::corrected);
  EXPECT_EQ(corrected.works.at(0).best.at(1).correction, 2);
}

TEST(Across, MoneyTurnsWhereItShould) {
  made::Noise noise(5);
  const std::vector<Provider> providers = {made::provider("A", {{.seconds = 1}}, 4, noise),
                                           made::provider("B", {{.seconds = 1.25}}, 4, noise)};
  const Across result = across(providers, options(kPrices));
  const PairVerdict& pair = result.works.at(0).pairs.at(0);
  const double ratio = *pair.rate_ratio.value;
  ASSERT_EQ(pair.money.size(), 2U);
  const PairMoney& on_demand = pair.money[0];
  // A pays as much as B per useful token at 2 x ratio / 0.8; B at 3 / ratio x 0.8.
  EXPECT_NEAR(*on_demand.break_even_a.value, 2 * ratio / 0.8, 1e-9);
  EXPECT_NEAR(*on_demand.break_even_a.upper, 2 * *pair.rate_ratio.upper / 0.8, 1e-9);
  EXPECT_NEAR(*on_demand.break_even_b.value, 3 / ratio * 0.8, 1e-9);
  EXPECT_NEAR(*on_demand.break_even_b.lower, 3 / *pair.rate_ratio.upper * 0.8, 1e-9);
  // B costs 2 x 1.25 / 0.8 = 3.125 where A costs 3: near, and A's to decide.
  EXPECT_NEAR(*on_demand.cost_ratio.value, 2 * ratio / 0.8 / 3, 1e-9);
  EXPECT_EQ(on_demand.cheaper, Verdict::slower);
  EXPECT_NEAR(*on_demand.slower_per_month.value, 8 * 2 * 730 * (ratio - 1), 1e-6);
  // Only B has a spot price: A's break-even with it, and no verdict.
  EXPECT_EQ(pair.money[1].kind, PriceKind::spot);
  EXPECT_FALSE(pair.money[1].cheaper);
  EXPECT_NEAR(*pair.money[1].break_even_a.value, ratio / 0.8, 1e-9);
  ASSERT_EQ(result.works[0].costs.size(), 3U);
  EXPECT_NEAR(*result.works[0].costs[0].per_million_tokens.value, 3e6 / 3600 / 1024, 0.03);
}

// A goodput that one side keeps to itself must not make it the cheaper one.
TEST(Across, GoodputCountsWhereAllStateIt) {
  made::Noise noise(5);
  const std::vector<Provider> providers = {made::provider("A", {{.seconds = 1}}, 4, noise),
                                           made::provider("B", {{.seconds = 1.25}}, 4, noise)};
  std::string prices = kPrices;
  prices.erase(prices.find("goodput: 1, "), std::string_view("goodput: 1, ").size());
  const Across result = across(providers, options(prices));
  const PairVerdict& pair = result.works.at(0).pairs.at(0);
  const double ratio = *pair.rate_ratio.value;
  EXPECT_NEAR(*pair.money[0].break_even_a.value, 2 * ratio, 1e-9);
  EXPECT_NEAR(*pair.money[0].cost_ratio.value, 2 * ratio / 3, 1e-9);
  EXPECT_EQ(pair.money[0].cheaper, Verdict::faster);
  // Spot has one price, whose goodput is known.
  EXPECT_NEAR(*pair.money[1].break_even_a.value, ratio / 0.8, 1e-9);
  const auto& costs = result.works[0].costs;
  EXPECT_FALSE(costs[0].delivered.value);
  EXPECT_EQ(costs[0].delivered.why, "goodput is not known");
  EXPECT_NEAR(*costs[1].delivered.value, *costs[1].per_million_tokens.value / 0.8, 1e-9);
  EXPECT_THAT(result.assumed, ::testing::Contains(HasSubstr("A has prices without")));
}

TEST(Across, ProvidersAreNamedOrRefused) {
  made::Noise noise(6);
  const auto side = [&](const char* name, const char* cluster) {
    Provider one = made::provider("x", {{}}, 2, noise);
    for (auto& run : one.runs) run.records[0].texts.emplace_back("cluster", cluster);
    return NamedSide{.name = name, .side = {.label = "f", .runs = std::move(one.runs)}};
  };
  const auto providers = providers_of({side("", "aws"), side("mine", "aws"), side("", "aws")});
  ASSERT_EQ(providers.size(), 2U);
  EXPECT_EQ(providers[0].name, "aws");
  EXPECT_EQ(providers[0].runs.size(), 4U);
  EXPECT_EQ(providers[1].name, "mine");
  try {
    static_cast<void>(providers_of({side("", "")}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("--label"));
  }
  EXPECT_THROW(static_cast<void>(across(std::span(providers).first(1), options())), Error);
}

}  // namespace
}  // namespace stepmark
