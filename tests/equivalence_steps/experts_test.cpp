// SPDX-License-Identifier: Apache-2.0
// Mixtures of experts over MPI, spread over ranks or not: loss, load-balancing loss, gradient norm
// and all gradients of the first step, losses and parameters of several, equal those of one rank,
// with tokens sent where the router or a seed has them go, alone and mixed with the other forms.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "tests/equivalence_steps/optimizer_forms.h"
#include "tests/equivalence_steps/zero_fixture.h"

namespace stepmark {
namespace {

using ::testing::Ge;

// Plans of 8 sequences per step; the second half of those of a world with a shared expert.
std::vector<std::string> plans_for(std::int64_t world) {
  static const std::map<std::int64_t, std::vector<std::string>> kPlans{
      {2,
       {"ep=2", "ep=2,routing=zipf", "tp=2", "tp=2,sp=on,etp=1,ep=2", "cp=2,ep=2,cp_kind=ring",
        "ep=2,accumulation=2,clip=0,recompute=full", "zero=3,accumulation=2",
        "ep=2,accumulation=2,recompute=selective,routing=uniform",
        "pp=2,accumulation=2,schedule=zb-h1", "tp=2,sp=on,clip=0.5", "tp=2,sp=on,tp_overlap=off",
        "zero=3,accumulation=2,grad_sync=last,prefetch=off", "ep=2,zero=1,accumulation=2,clip=0.5",
        "ep=2,zero=3,accumulation=2,clip=0.5", "tp=2,sp=on,tp_chunks=2,accumulation=2"}},
      {4,
       {"ep=4",
        "ep=4,routing=zipf,routing_exponent=1.5",
        "ep=2,tp=2",
        "ep=2,tp=2,sp=on,routing=uniform",
        "tp=2,sp=on,etp=1,ep=4,clip=0.5",
        "tp=2,sp=on,etp=1,ep=2,accumulation=2,routing=zipf",
        "cp=2,ep=4,accumulation=2",
        "ep=2,clip=0.5,accumulation=2",
        "pp=2,ep=2,accumulation=2,schedule=zb-h1,recompute=full",
        "pp=2,ep=2,accumulation=4,p2p=batched",
        "tp=2,zero=1",
        "ep=2,optimizer_overlap=on,clip=0.5",
        "cp=2,ep=2,cp_kind=ulysses",
        "ep=2,zero=1,clip=0.5,accumulation=2",
        "tp=2,sp=on,etp=1,ep=2,zero=1,gather=forward,clip=0.5",
        "ep=2,tp=2,zero=1,clip=0.5",
        "ep=2,pp=2,accumulation=2,zero=1,routing=zipf",
        "ep=2,zero=2,accumulation=2,clip=0.5",
        "tp=4,sp=on,etp=2,ep=2,accumulation=2,clip=0.5",
        "tp=4,sp=on,etp=2,routing=zipf",
        "ep=2,zero=3,accumulation=2,recompute=full",
        "ep=2,zero=3,shard=2,accumulation=2,clip=0.5",
        "tp=2,sp=on,etp=1,ep=2,zero=3,clip=0.5,tp_chunks=2",
        "ep=2,cp=2,zero=3,prefetch=off",
        "ep=4,zero=3,accumulation=2,grad_sync=last",
        "ep=2,zero=2,gather=forward"}},
      {8,
       {"ep=8", "ep=4,tp=2,sp=on,routing=zipf", "tp=4,sp=on,etp=1,ep=2", "tp=2,cp=2,ep=2,clip=0.5",
        "tp=2,sp=on,etp=1,ep=8,routing=zipf,clip=0.5", "pp=2,ep=4,accumulation=2",
        "pp=2,tp=2,ep=2,accumulation=4,schedule=interleaved,chunks=2,routing=zipf",
        "tp=2,zero=3,shard=2", "cp=2,ep=8,cp_kind=ring,routing=uniform",
        "tp=2,ep=2,zero=1,clip=0.5,gather=forward", "tp=2,sp=on,etp=1,ep=4,zero=1,clip=0.5",
        "cp=2,ep=4,zero=1,accumulation=2,optimizer_overlap=on", "ep=2,zero=3,shard=4,clip=0.5",
        "ep=4,cp=2,zero=3,shard=4,accumulation=2",
        "ep=4,tp=2,zero=2,shard=4,accumulation=2,clip=0.5,sp=on,etp=1",
        "tp=4,sp=on,etp=2,ep=4,clip=0.5,zero=1", "tp=4,sp=on,etp=2,ep=2,zero=3,recompute=full",
        "tp=2,ep=2,zero=3,accumulation=2,grad_sync=last,clip=0.5,reshard=off",
        "tp=2,pp=2,ep=2,accumulation=2,zero=3"}}};
  return kPlans.at(world);
}

Model model_for(const std::string& text, bool shared) {
  Model model = expert_model();
  model.vocab = 203;
  model.shared_ffn = shared ? 24 : 0;
  model.renormalise = model.shared_ffn == 0;
  if (text.find("pp=") != std::string::npos) model.layers = 5;
  return model;
}

class Experts : public ZeroFixture {
 protected:
  [[nodiscard]] Plan plan_of(const std::string& text, const Model& model) const {
    Plan plan = parse_plan(text, parse_plan("bucket_mib=0.05,seq=16,lr=1e-3"));
    plan.dp = world_->size() / (plan.tp * plan.cp * plan.pp);
    plan.micro_batch = 8 / (plan.dp * plan.accumulation);
    return resolve(plan, model, world_->size());
  }
  // Of all layers: each stage's is on all of its ranks.
  double whole_aux_loss(const StepState& state, const Plan& plan) {
    auto sum = static_cast<float>(state.aux_loss());
    world_->all_reduce(&sum, &sum, 1, DType::f32, ReduceOp::sum, *stream_);
    stream_->synchronize();
    return double{sum} / static_cast<double>(world_->size()) * static_cast<double>(plan.pp);
  }
};

TEST_F(Experts, StepsAreThoseOfOneRank) {
  const std::vector<std::string> plans = plans_for(world_->size());
  for (std::size_t i = 0; i < plans.size(); ++i) {
    Model model = model_for(plans[i], 2 * i >= plans.size());
    model.name += model.shared_ffn > 0 ? "_shared" : "";
    const Plan plan = plan_of(plans[i], model);
    SCOPED_TRACE(fmt::format("{} {}", model.name, to_text(plan)));
    expect_equals_one_rank(model, plan);
    const auto one = alone(model, plan);
    const auto steps = run(model, plan);
    one->step();
    steps->step();
    EXPECT_NEAR(whole_aux_loss(steps->state(), plan) / one->state().aux_loss(), 1.0,
                kLossTolerance);
  }
}

TEST_F(Experts, Bf16LearnsAndReplicasAgree) {
  const Model model = model_for("", true);
  const std::string text = fmt::format("ep={},routing=zipf,precision=bf16,lr=3e-3", world_->size());
  const auto steps = run(model, plan_of(text, model));
  steps->step();
  const double first = steps->state().loss();
  for (int i = 1; i < 10; ++i) steps->step();
  EXPECT_LT(steps->state().loss(), first - 0.5);
  EXPECT_TRUE(replicas_agree(steps->state()));
}

TEST_F(Experts, OptimizerBesideBackwardIsTheSerialOneBitForBit) {
  const auto executor = make_host_executor(*device_);
  const Model model = model_for("", false);
  for (const char* text : {"ep=2", "ep=2,zero=1"}) {
    expect_forms_agree(*executor, *world_, model, plan_of(text, model), "clip=0");
  }
}

// What the comparisons are for: a rank that hears of other counts than its own, a gradient of
// experts that is not summed, and weights that are those of another choice.
TEST_F(Experts, PlantedFaultsAreSeen) {
  const Model model = model_for("", false);
  const Plan plan = plan_of(fmt::format("ep={},clip=0", world_->size()), model);
  const Program program = step_program(model, plan, world_->rank());
  const auto one = alone(model, plan);
  one->step();
  const auto error_of = [&](const auto& change) {
    Program faulty = program;
    for (Op& op : faulty.ops) change(op);
    const auto steps = std::make_unique<StepRun>(*world_, model, plan, std::move(faulty));
    steps->step();
    return gradient_error(steps->state(), one->state());
  };
  ASSERT_LT(error_of([](Op&) {}), kGradientTolerance);
  EXPECT_THAT(error_of([](Op& op) {
                if (op.kernel && op.kernel->id == OpId::router_weights) op.kernel->dims[6] = 0;
              }),
              Ge(100 * kGradientTolerance));
  EXPECT_THAT(error_of([](Op& op) {
                if (op.kernel && op.kernel->id == OpId::router_bwd) op.kernel->scalars[0] = 0;
              }),
              Ge(10 * kGradientTolerance));
}

}  // namespace
}  // namespace stepmark
