// SPDX-License-Identifier: Apache-2.0
// What a list says of plans against their whole programs: bytes by axis, state, bubbles; and that
// it lists each legal plan once.
#include "harness/program/plan_estimate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "harness/program/activation_facts.h"
#include "harness/program/memory_plan.h"
#include "harness/program/plan_space.h"
#include "harness/program/schedule/slot_grid.h"
#include "harness/program/step_facts.h"
#include "harness/program/step_roles.h"
#include "harness/spec/workload.h"
#include "tests/unit/program/models.h"

namespace stepmark {
namespace {

Model wide_llama() {
  Model model = small_llama();
  model.layers = 8;
  model.hidden = 512;
  model.head_dim = 32;
  model.ffn = 1408;
  model.max_seq = 128;
  return model;
}

// Every n-th plan of a list, so that all values of all keys are among them.
void add_some(std::vector<Plan>& plans, const Model& model, const char* base, std::size_t every) {
  const auto all =
      legal_plans(model, parse_plan(base, parse_plan("precision=bf16,optimizer_overlap=off")),
                  {.ranks = 16, .global_batch = 32, .scale_up_domain = 4});
  EXPECT_FALSE(all.empty()) << base;
  for (std::size_t i = 0; i < all.size(); i += every) plans.push_back(all[i]);
}

// Fewer where ranks share sequences.
std::vector<Plan> some_plans(const Model& model, std::size_t every) {
  std::vector<Plan> plans;
  add_some(plans, model, "", every);
  for (const char* base : {"cp=2", "cp=4,cp_kind=ring", "cp=2,cp_kind=ulysses",
                           "p2p=batched,tp_chunks=2,grad_sync=last,prefetch=off",
                           "tp_overlap=off,gather=forward,reduce=bf16"}) {
    add_some(plans, model, base, 4 * every);
  }
  return plans;
}

Model wide_experts() {
  Model model = wide_llama();
  model.name = "wide-experts";
  model.hidden = 256;
  model.head_dim = 16;
  model.ffn = 704;
  model.experts = 8;
  model.top_k = 2;
  return model;
}

// The same where experts are spread, by the router and by seeds.
std::vector<Plan> some_plans_of_experts(const Model& model, std::size_t every) {
  std::vector<Plan> plans;
  for (const char* base : {"", "routing=zipf", "routing=uniform,cp=2", "routing=zipf,cp=4",
                           "tp_chunks=2,grad_sync=last,prefetch=off,routing=zipf"}) {
    add_some(plans, model, base, every);
  }
  std::erase_if(plans, [](const Plan& plan) { return !plan.spreads_experts(); });
  return plans;
}

TEST(PlanSpace, HasEachLegalPlanOnceWithTheSameWork) {
  const Model model = wide_llama();
  const PlanSpace space{.ranks = 16, .global_batch = 32, .scale_up_domain = 4};
  const auto plans = legal_plans(model, parse_plan("precision=bf16"), space);
  std::set<std::string> texts;
  std::set<std::string> schedules;
  std::set<std::int64_t> zeros, tps, pps;
  for (const Plan& plan : plans) {
    EXPECT_EQ(why_illegal(plan, model, space.ranks), std::nullopt) << to_text(plan);
    EXPECT_EQ(plan.global_batch(), space.global_batch) << to_text(plan);
    EXPECT_TRUE(texts.insert(to_text(plan)).second) << to_text(plan);
    schedules.insert(plan.schedule);
    zeros.insert(plan.zero);
    tps.insert(plan.tp);
    pps.insert(plan.pp);
  }
  EXPECT_THAT(schedules, ::testing::ElementsAre("1f1b", "gpipe", "interleaved", "zb-h1"));
  EXPECT_THAT(zeros, ::testing::ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(tps, ::testing::ElementsAre(1, 2, 4));
  EXPECT_THAT(pps, ::testing::ElementsAre(1, 2, 4, 8));  // of 8 layers
  EXPECT_TRUE(texts.contains(to_text(resolve(
      parse_plan("tp=2,pp=4,dp=2,sp=on,zero=3,seq=128,micro_batch=2,accumulation=8,precision=bf16"),
      model, 16))));
}

TEST(PlanSpace, SharesSequencesAsTheBaseDoes) {
  const Model model = wide_llama();
  const Plan base = parse_plan("cp=4,cp_kind=ring,precision=bf16");
  const auto plans =
      legal_plans(model, base, {.ranks = 16, .global_batch = 32, .scale_up_domain = 4});
  std::set<std::int64_t> zeros_of_one_share, tps;
  for (const Plan& plan : plans) {
    EXPECT_EQ(plan.cp, 4) << to_text(plan);
    EXPECT_EQ(plan.cp_kind, ContextKind::ring) << to_text(plan);
    EXPECT_EQ(plan.ranks(), 16) << to_text(plan);
    if (plan.dp == 1) zeros_of_one_share.insert(plan.zero);
    tps.insert(plan.tp);
  }
  // State is sharded over ranks that share sequences as well.
  EXPECT_THAT(zeros_of_one_share, ::testing::ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(tps, ::testing::ElementsAre(1, 2, 4));
}

TEST(PlanSpace, PlansExchangeAsTheBaseDoesWhereTheyCan) {
  const Model model = wide_llama();
  const Plan base = parse_plan(
      "p2p=batched,tp_chunks=2,grad_sync=last,prefetch=off,gather=forward,precision=bf16");
  const PlanSpace space{.ranks = 16, .global_batch = 32, .scale_up_domain = 4};
  const auto plans = legal_plans(model, base, space);
  EXPECT_EQ(plans.size(), legal_plans(model, parse_plan("precision=bf16"), space).size());
  for (const Plan& plan : plans) {
    SCOPED_TRACE(to_text(plan));
    EXPECT_EQ(why_illegal(plan, model, space.ranks), std::nullopt);
    EXPECT_EQ(plan.p2p == StageMessages::batched, plan.pp > 1 && plan.chunks == 1);
    EXPECT_EQ(plan.tp_chunks, plan.sequence_parallel ? 2 : 1);
    EXPECT_EQ(plan.grad_sync == GradSync::last, plan.zero >= 2 && plan.accumulation > 1);
    EXPECT_EQ(plan.prefetch, plan.zero != 3);
    EXPECT_EQ(plan.gather == ParamGather::forward, plan.zero == 1 || plan.zero == 2);
  }
}

// Of the whole programs of all roles.
PlanEstimate counted(const Model& model, const Plan& plan) {
  PlanEstimate most;
  for (const std::int32_t rank : step_roles(model, plan).ranks) {
    const Program program = step_program(model, plan, rank);
    most.recomputed_flops =
        std::max(most.recomputed_flops, activation_facts(program).recomputed_flops);
    for (const auto& [axis, traffic] : facts_of_step(model, plan, program, {}).traffic) {
      most.bus_bytes[axis] = std::max(most.bus_bytes[axis], traffic.bus_bytes);
    }
    double bytes = 0;
    for (const auto kind : {BufferKind::param, BufferKind::grad, BufferKind::optimizer}) {
      bytes += static_cast<double>(memory_bytes(program, kind));
    }
    most.state_bytes = std::max(most.state_bytes, bytes);
  }
  return most;
}

void expect_counted(const Model& model, const std::vector<Plan>& plans) {
  PlanEstimator estimator(model, {});
  for (const Plan& plan : plans) {
    SCOPED_TRACE(to_text(plan));
    const PlanEstimate estimate = estimator.estimate(plan), most = counted(model, plan);
    EXPECT_NEAR(estimate.recomputed_flops, most.recomputed_flops, 1e-6 * most.recomputed_flops);
    EXPECT_EQ(most.recomputed_flops > 0, plan.recompute != Recompute::none);
    ASSERT_EQ(most.bus_bytes.size(), estimate.bus_bytes.size());
    for (const auto& [axis, bytes] : most.bus_bytes) {
      // Buckets and shards are filled up to lines; a norm's sum over more ranks is some bytes more.
      EXPECT_NEAR(estimate.bus_bytes.at(axis), bytes, 1e-3 * bytes + 16) << axis;
    }
    EXPECT_NEAR(estimate.state_bytes, most.state_bytes, 0.02 * most.state_bytes);
    EXPECT_LT(estimate.state_bytes, static_cast<double>(step_memory_bytes(model, plan)));
  }
}

TEST(PlanEstimates, AreThoseOfTheProgram) {
  const Model model = wide_llama();
  expect_counted(model, some_plans(model, 41));
}

TEST(PlanEstimates, AreThoseOfTheProgramWithExperts) {
  const Model model = wide_experts();
  const auto plans = some_plans_of_experts(model, 599);
  EXPECT_GT(plans.size(), 30U);
  expect_counted(model, plans);
}

// FLOPs of the experts' GEMMs of a whole program, by layer.
std::map<std::string, double> expert_flops(const Program& program) {
  std::map<std::string, double> flops;
  for (const Op& op : program.ops) {
    if (!op.kernel || info_of(op.kernel->id).unit != MathUnit::matrix) continue;
    if (op.label.find(".experts.") == std::string::npos) continue;
    const std::size_t at = op.label.find("layer");
    flops[op.label.substr(at, op.label.find('.', at) - at)] += flops_of(*op.kernel);
  }
  return flops;
}

TEST(PlanEstimates, CountWhatTheFullestRankOfEachLayerComputes) {
  const Model model = wide_experts();
  PlanEstimator estimator(model, {});
  for (const char* text : {"ep=4,routing=zipf", "ep=8,routing=uniform", "ep=2,dp=8",
                           "tp=2,sp=on,etp=1,ep=4,routing=zipf,zero=3,routing_seed=3",
                           "ep=2,cp=2,accumulation=3,routing=zipf,routing_exponent=1.5",
                           "ep=4,pp=2,accumulation=2,routing=zipf"}) {
    SCOPED_TRACE(text);
    const Plan plan = resolve(parse_plan(text, parse_plan("optimizer_overlap=off")), model, 8);
    std::map<std::string, double> sum, most;  // by layer
    for (std::int32_t rank = 0; rank < 8; ++rank) {
      for (const auto& [layer, flops] : expert_flops(step_program(model, plan, rank))) {
        sum[layer] += flops;
        most[layer] = std::max(most[layer], flops);
      }
    }
    ASSERT_EQ(most.size(), static_cast<std::size_t>(model.layers));
    std::vector<double> beyond(static_cast<std::size_t>(plan.pp), 0.0);  // by stage
    for (const auto& [layer, flops] : most) {
      const auto stage =
          static_cast<std::size_t>(std::stoll(layer.substr(5)) * plan.pp / model.layers);
      beyond[stage] += flops - sum[layer] * static_cast<double>(plan.pp) / 8.0;
    }
    const double want = *std::max_element(beyond.begin(), beyond.end());
    EXPECT_NEAR(estimator.estimate(plan).uneven_flops, want, 1e-9 * want);
    EXPECT_EQ(want > 0, plan.routes_by_seed());
  }
}

TEST(PlanSpace, SpreadsExperts) {
  const Model model = wide_experts();
  std::set<std::pair<std::int64_t, std::int64_t>> spreads;
  for (const Plan& plan : legal_plans(model, parse_plan("precision=bf16"),
                                      {.ranks = 8, .global_batch = 8, .scale_up_domain = 4})) {
    EXPECT_EQ(why_illegal(plan, model, 8), std::nullopt) << to_text(plan);
    spreads.emplace(plan.ep, plan.expert_tensor());
  }
  using ::testing::Pair;
  EXPECT_THAT(spreads, ::testing::IsSupersetOf({Pair(1, 1), Pair(2, 1), Pair(4, 1), Pair(8, 1),
                                                Pair(2, 2), Pair(4, 2), Pair(2, 4), Pair(1, 2)}));
}

// Where a seed routes, ranks keep as many rows as it gives their experts.
TEST(PlanMemory, IsThatOfTheBusiestRank) {
  const Model model = wide_experts();
  for (const char* text : {"ep=4,routing=zipf", "ep=8,routing=zipf,recompute=full",
                           "ep=8,routing=uniform", "ep=8,routing=uniform,recompute=selective",
                           "tp=2,sp=on,etp=1,ep=4,routing=zipf,zero=3,routing_seed=3",
                           "ep=2,cp=2,pp=2,accumulation=2,routing=zipf,routing_exponent=1.5"}) {
    SCOPED_TRACE(text);
    const Plan plan = resolve(parse_plan(text, parse_plan("optimizer_overlap=off")), model, 8);
    std::int64_t most = 0, least = kNoMemoryLimit;
    for (std::int32_t rank = 0; rank < 8; ++rank) {
      const std::int64_t bytes = plan_memory(step_program(model, plan, rank)).bytes;
      most = std::max(most, bytes);
      least = std::min(least, bytes);
    }
    EXPECT_EQ(step_memory_bytes(model, plan), most);
    EXPECT_LT(least, most);
  }
}

TEST(PlanEstimates, BubblesAreThoseOfTheGrids) {
  for (const char* text : {"pp=4,accumulation=8", "pp=4,accumulation=8,schedule=gpipe",
                           "pp=4,accumulation=8,schedule=interleaved,chunks=2",
                           "pp=4,accumulation=8,schedule=zb-h1", "accumulation=3"}) {
    const Plan plan = resolve(parse_plan(text), wide_llama(), parse_plan(text).pp);
    EXPECT_NEAR(bubble_of(plan),
                bubble_fraction(slot_grid(find_schedule(plan.schedule), place_of(plan, 0))), 1e-12)
        << text;
  }
}

TEST(PlanEstimates, TiersFollowFromTheGroups) {
  const Model model = wide_llama();
  const auto tiers = [&](const char* text, std::int64_t domain) {
    const Plan plan = parse_plan(text);
    return tiers_of(model, resolve(plan, model, plan.ranks()), domain);
  };
  using ::testing::Pair;
  EXPECT_THAT(tiers("tp=4,dp=4,clip=0", 4),
              ::testing::ElementsAre(Pair("dp", Tier::scale_out), Pair("tp", Tier::scale_up)));
  EXPECT_THAT(tiers("tp=2,dp=4,clip=0", 4),
              ::testing::ElementsAre(Pair("dp", Tier::both), Pair("tp", Tier::scale_up)));
  EXPECT_THAT(tiers("tp=2,dp=2,pp=2,clip=0", 8),
              ::testing::ElementsAre(Pair("dp", Tier::scale_up), Pair("pp", Tier::scale_up),
                                     Pair("tp", Tier::scale_up)));
}

}  // namespace
}  // namespace stepmark
