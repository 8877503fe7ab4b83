// SPDX-License-Identifier: Apache-2.0
// Recomputation over MPI, mixed with every other form: a step is bit for bit the one that keeps
// everything, and its loss, gradients and parameters are those of one rank.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "harness/program/schedule/schedule.h"
#include "harness/program/step_facts.h"
#include "tests/equivalence_steps/zero_fixture.h"

namespace stepmark {
namespace {

// Plans of 8 sequences per step.
std::vector<std::string> plans_for(std::int64_t world) {
  static const std::map<std::int64_t, std::vector<std::string>> kPlans{
      {2,
       {"tp=2", "tp=2,sp=on,accumulation=2", "zero=1,clip=0.5", "zero=3,accumulation=2",
        "pp=2,accumulation=4", "pp=2,accumulation=4,schedule=zb-h1"}},
      {4,
       {"tp=2,sp=on,zero=3,accumulation=2", "tp=4", "pp=2,tp=2,sp=on,accumulation=4,schedule=gpipe",
        "pp=2,zero=2,accumulation=2", "pp=2,chunks=2,schedule=interleaved,zero=3,accumulation=4",
        "pp=2,tp=2,accumulation=4,schedule=zb-h1"}},
      {8,
       {"pp=2,tp=2,sp=on,zero=3,accumulation=4,clip=0,optimizer_overlap=on", "tp=8,sp=on",
        "pp=4,tp=2,sp=on,accumulation=4,schedule=zb-h1", "zero=3,shard=4"}}};
  return kPlans.at(world);
}

class RecomputeSteps : public ZeroFixture {
 protected:
  [[nodiscard]] Plan plan_of(const std::string& text, const Model& model) const {
    Plan plan = parse_plan(text, parse_plan("bucket_mib=0.05,seq=16,lr=1e-3"));
    plan.dp = world_->size() / (plan.tp * plan.pp);
    plan.micro_batch = 8 / (plan.dp * plan.accumulation);
    return resolve(plan, model, world_->size());
  }
  [[nodiscard]] static Model model_for(const std::string& text, bool llama) {
    Model model = model_of(llama);
    model.layers =
        text.find("chunks=2") != std::string::npos || text.find("pp=4") != std::string::npos ? 5
                                                                                             : 3;
    return model;
  }
};

TEST_F(RecomputeSteps, StepsAreThoseThatKeepEverythingBitForBitAndThoseOfOneRank) {
  bool full = false;
  for (const std::string& text : plans_for(world_->size())) {
    for (const bool llama : {false, true}) {
      const Model model = model_for(text, llama);
      const Plan plan = plan_of(text, model);
      const auto kept = run(model, plan);
      const auto one = alone(model, plan);
      for (int i = 0; i < kSteps; ++i) kept->step();
      Plan again = plan;
      // Both forms with each plan, and by turns with each family.
      again.recompute = full != llama ? Recompute::full : Recompute::selective;
      SCOPED_TRACE(model.name + " " + to_text(again));
      const auto steps = run(model, again);
      for (int i = 0; i < kSteps; ++i) {
        one->step();
        steps->step();
        if (steps->state().has_loss()) {
          EXPECT_NEAR(steps->state().loss() / one->state().loss(), 1.0, kLossTolerance) << i;
        }
        if (i > 0) continue;
        EXPECT_LT(gradient_error(steps->state(), one->state()), kGradientTolerance);
      }
      EXPECT_LT(param_error(steps->state(), one->state()), kParamTolerance);
      EXPECT_EQ(steps->state().param_bytes(), kept->state().param_bytes());
      EXPECT_TRUE(replicas_agree(steps->state()));
    }
    full = !full;
  }
}

TEST_F(RecomputeSteps, Bf16IsTheSameBitForBit) {
  const std::string text = world_->size() == 2 ? "tp=2,sp=on" : "pp=2,tp=2,sp=on,accumulation=2";
  for (const bool llama : {false, true}) {
    const Model model = model_for(text, llama);
    const Plan plan = plan_of(text + ",precision=bf16", model);
    const auto kept = run(model, plan);
    for (int i = 0; i < 3; ++i) kept->step();
    for (const char* kind : {"selective", "full"}) {
      const auto steps = run(model, parse_plan(fmt::format("recompute={}", kind), plan));
      for (int i = 0; i < 3; ++i) steps->step();
      EXPECT_EQ(steps->state().param_bytes(), kept->state().param_bytes()) << kind;
    }
  }
}

TEST_F(RecomputeSteps, MemoryIsWhatThePlanSaysAndLessTheMoreIsComputedAgain) {
  Model model = model_of(true);
  model.layers = 6;
  for (const std::string& text : plans_for(world_->size())) {
    Plan plan = parse_plan("optimizer_overlap=off", plan_of(text, model));
    std::int64_t before = 0;
    for (const char* kind : {"full", "selective", "none"}) {
      plan = parse_plan(fmt::format("recompute={}", kind), plan);
      SCOPED_TRACE(to_text(plan));
      const auto steps = run(model, plan);
      const auto arena = static_cast<std::int64_t>(steps->runnable().arena()->bytes());
      EXPECT_EQ(rank_memory_bytes(model, plan, kHostTraits, world_->rank()), arena);
      // Of the rank with most. A last stage whose weight gradients come later has its peak there,
      // and computes again beside what is kept for them.
      if (find_schedule(plan.schedule).splits_backward && before > 0) continue;
      const std::int64_t most = step_memory_bytes(model, plan);
      EXPECT_GT(most, before);
      before = most;
    }
  }
}

// A layer whose input is not its own when it is computed again.
TEST_F(RecomputeSteps, APlantedFaultIsSeen) {
  const Model model = model_of(true);
  const Plan plan = plan_of("recompute=full,clip=0", model);
  Program program = step_program(model, plan, world_->rank());
  const auto one = alone(model, plan);
  one->step();
  const auto sound = run(model, plan);
  sound->step();
  ASSERT_LT(gradient_error(sound->state(), one->state()), kGradientTolerance);
  for (Op& op : program.ops) {
    if (op.label == "layer1.recompute.attn_norm")
      op.operands[0].buffer = program.buffer_index("x0");
  }
  StepRun faulty(*world_, model, plan, std::move(program));
  faulty.step();
  EXPECT_GT(gradient_error(faulty.state(), one->state()), kGradientTolerance);
}

}  // namespace
}  // namespace stepmark
