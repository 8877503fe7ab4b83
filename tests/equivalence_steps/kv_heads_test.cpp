// SPDX-License-Identifier: Apache-2.0
// Key/value heads that several tensor-parallel ranks hold: steps are those of one rank, and what
// ranks hold alike stays alike, bit for bit.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "harness/spec/step_groups.h"
#include "tests/equivalence_steps/optimizer_forms.h"
#include "tests/equivalence_steps/zero_fixture.h"

namespace stepmark {
namespace {

struct KvPlan {
  std::int64_t kv_heads;
  std::string text;
};

// Plans of 8 sequences per step.
std::vector<KvPlan> plans_for(std::int64_t world) {
  static const std::map<std::int64_t, std::vector<KvPlan>> kPlans{
      {2, {{1, "tp=2"}, {1, "tp=2,sp=on,accumulation=2,clip=0.5,optimizer_overlap=on"}}},
      {4,
       {{2, "tp=4,accumulation=2,clip=0.5"},
        {1, "tp=4,sp=on"},
        {1, "tp=2,zero=1,clip=0.5"},
        {1, "tp=2,sp=on,zero=3,accumulation=2"},
        {1, "tp=2,pp=2,accumulation=4,schedule=zb-h1,recompute=full"}}},
      {8,
       {{2, "tp=8,sp=on,clip=0.5"},
        {2, "tp=4,sp=on,zero=2,accumulation=2"},
        {1, "tp=4,zero=3,clip=0.5,optimizer_overlap=on"},
        {1, "tp=2,pp=2,zero=1,accumulation=2,recompute=selective"}}}};
  return kPlans.at(world);
}

class KvHeads : public ZeroFixture {
 protected:
  [[nodiscard]] static Model model_for(const KvPlan& kv, bool llama) {
    Model model = model_of(llama);
    model.kv_heads = kv.kv_heads;
    return model;
  }
  [[nodiscard]] Plan plan_of(const std::string& text, const Model& model) const {
    // Gradients of keys' biases are rounding alone, since softmax does not see what all scores of a
    // query have in common; AdamW makes updates of them that grow with the rate.
    Plan plan = parse_plan(text, parse_plan("bucket_mib=0.05,seq=16,lr=3e-4"));
    plan.dp = world_->size() / (plan.tp * plan.cp * plan.pp);
    plan.micro_batch = 8 / (plan.dp * plan.accumulation);
    return resolve(plan, model, world_->size());
  }
  // Of all layers on this rank, rows of keys and values.
  static std::vector<float> shared_values(const StepState& state) {
    std::vector<float> shared;
    for (const Param& param : state.layout().params()) {
      if (param.shared_elements() == 0) continue;
      const std::vector<float> all = state.param_values(param);
      shared.insert(shared.end(), all.end() - param.shared_elements(), all.end());
    }
    return shared;
  }
  bool copies_agree(const StepState& state, const Model& model, const Plan& plan) {
    const std::vector<std::int32_t> ranks =
        StepGroups(model, plan).group(StepGroups::kKeyValues, world_->rank());
    const auto group = world_->split(ranks.front(), world_->rank());
    const std::vector<float> own = shared_values(state);
    std::vector<float> all(own.size() * ranks.size());
    group->all_gather(own.data(), all.data(), own.size(), DType::f32, *stream_);
    stream_->synchronize();
    EXPECT_FALSE(own.empty());
    float differ = 0;
    for (std::size_t i = 0; i < all.size(); ++i)
      differ += all[i] == own[i % own.size()] ? 0.0F : 1.0F;
    return largest(differ) == 0;
  }
};

TEST_F(KvHeads, StepsEqualOneRank) {
  for (const KvPlan& kv : plans_for(world_->size())) {
    for (const bool llama : {false, true}) {
      const Model model = model_for(kv, llama);
      const Plan plan = plan_of(kv.text, model);
      SCOPED_TRACE(fmt::format("{} kv_heads={} {}", model.name, kv.kv_heads, to_text(plan)));
      const auto one = alone(model, plan);
      const auto steps = run(model, plan);
      // The same model before the first step.
      EXPECT_LT(plan.zero == 3 ? 0.0 : param_error(steps->state(), one->state()), 1e-12);
      for (int i = 0; i < kSteps; ++i) {
        one->step();
        steps->step();
        if (steps->state().has_loss()) {
          EXPECT_NEAR(steps->state().loss() / one->state().loss(), 1.0, kLossTolerance) << i;
        }
        if (plan.computes_norm()) {
          EXPECT_NEAR(steps->state().gradient_norm() / one->state().gradient_norm(), 1.0, 1e-4)
              << i;
        }
        if (i > 0) continue;
        EXPECT_LT(gradient_error(steps->state(), one->state()), kGradientTolerance);
      }
      EXPECT_LT(param_error(steps->state(), one->state()), kParamTolerance);
      EXPECT_TRUE(replicas_agree(steps->state()));
      if (steps->state().whole_after_step()) {
        EXPECT_TRUE(copies_agree(steps->state(), model, plan));
      }
      EXPECT_EQ(steps->state().largest_between(), 0);
    }
  }
}

// Weights of the norms of heads are whole on every rank, and their gradients come from its heads.
TEST_F(KvHeads, NormsOfHeadsAreThoseOfOneRank) {
  static const std::map<std::int64_t, std::vector<std::string>> kTexts{
      {2,
       {"tp=2", "tp=2,sp=on,accumulation=2,recompute=selective", "cp=2,cp_kind=ring", "zero=3",
        "pp=2,accumulation=2,schedule=zb-h1"}},
      {4,
       {"tp=4,sp=on,clip=0.5", "tp=2,cp=2,cp_kind=ulysses,recompute=full",
        "tp=2,zero=2,accumulation=2", "tp=2,pp=2,accumulation=2,schedule=zb-h1"}},
      {8, {"tp=2,sp=on,cp=2,cp_kind=allgather,zero=3", "tp=2,pp=2,zero=1,accumulation=2"}}};
  for (const bool tied : {false, true}) {
    Model model = head_norm_model(tied);
    model.kv_heads = 4;
    for (const std::string& text : kTexts.at(world_->size())) {
      const Plan plan = plan_of(text, model);
      SCOPED_TRACE(fmt::format("{} tied={} {}", model.name, tied, to_text(plan)));
      expect_equals_one_rank(model, plan);
    }
  }
}

TEST_F(KvHeads, OptimizerBesideBackwardIsTheSerialOneBitForBit) {
  const auto executor = make_host_executor(*device_);
  for (const KvPlan& kv : plans_for(world_->size())) {
    const Model model = model_for(kv, true);
    const Plan plan = plan_of(kv.text, model);
    if (plan.pp > 1) continue;
    expect_forms_agree(*executor, *world_, model, plan, "");
  }
}

// Without the sum, each rank has the gradients of its own queries' share.
TEST_F(KvHeads, ASumThatIsLeftOutIsSeen) {
  const Model model = model_for(plans_for(world_->size()).front(), true);
  const Plan plan = plan_of(plans_for(world_->size()).front().text, model);
  Program program = step_program(model, plan, world_->rank());
  const auto one = alone(model, plan);
  one->step();
  int found = 0;
  for (Op& op : program.ops) {
    if (!op.comm || op.comm->axis != StepGroups::kKeyValues) continue;
    op.comm->op = ReduceOp::max;
    ++found;
  }
  ASSERT_GT(found, 0);
  StepRun faulty(*world_, model, plan, std::move(program));
  faulty.step();
  EXPECT_GT(gradient_error(faulty.state(), one->state()), 1e-3);
}

}  // namespace
}  // namespace stepmark
