// SPDX-License-Identifier: Apache-2.0
// Forms that choose when and in which pieces a step talks (tp_overlap, tp_chunks, prefetch,
// grad_sync, p2p) compute what one rank computes, alone and mixed: loss, gradient norm, gradients,
// parameters after several steps.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "kernels/ops/memory.h"
#include "tests/equivalence_steps/optimizer_forms.h"
#include "tests/equivalence_steps/zero_fixture.h"

namespace stepmark {
namespace {

class Overlap : public ZeroFixture {
 protected:
  // Of 8 sequences per step.
  [[nodiscard]] Plan plan_of(const std::string& text, const Model& model) const {
    Plan plan = parse_plan(text, parse_plan("bucket_mib=0.05,seq=16,lr=1e-3"));
    plan.dp = world_->size() / (plan.tp * plan.cp * plan.pp);
    plan.micro_batch = 8 / (plan.dp * plan.accumulation);
    return resolve(plan, model, world_->size());
  }
};

Model model_for(const std::string& text, bool llama) {
  Model model = model_of(llama, 203);
  if (text.find("pp=") != std::string::npos) model.layers = 5;
  return model;
}

std::vector<std::string> plans_for(std::int64_t world) {
  static const std::map<std::int64_t, std::vector<std::string>> kPlans{
      {2,
       {"tp=2,tp_overlap=off", "tp=2,sp=on,tp_chunks=2", "tp=2,sp=on,tp_chunks=8,accumulation=2",
        "zero=3,prefetch=off", "zero=2,accumulation=2,grad_sync=last",
        "zero=3,accumulation=4,grad_sync=last", "pp=2,accumulation=4,p2p=batched"}},
      {4,
       {"tp=4,sp=on,tp_chunks=4", "tp=2,cp=2,cp_kind=ulysses,sp=on,tp_chunks=2",
        "tp=2,pp=2,sp=on,tp_chunks=4,schedule=zb-h1,accumulation=4,p2p=batched",
        "zero=3,shard=2,accumulation=2,grad_sync=last,reshard=off,prefetch=off",
        "pp=4,accumulation=4,schedule=gpipe,p2p=batched"}},
      {8,
       {"tp=8,sp=on,tp_chunks=2", "tp=4,sp=on,tp_chunks=4,recompute=full,zero=1",
        "tp=2,pp=2,sp=on,tp_chunks=2,zero=3,accumulation=4,grad_sync=last,p2p=batched",
        "pp=4,accumulation=4,p2p=batched"}}};
  return kPlans.at(world);
}

TEST_F(Overlap, StepsAreThoseOfOneRank) {
  bool llama = false;
  for (const std::string& text : plans_for(world_->size())) {
    llama = !llama;
    const Model model = model_for(text, llama);
    const Plan plan = plan_of(text, model);
    SCOPED_TRACE(model.name + " " + to_text(plan));
    expect_equals_one_rank(model, plan);
  }
}

// Both ways of overlapping change when something is done, and nothing of what is.
TEST_F(Overlap, WaitingForItChangesNoBit) {
  const Model model = model_of(true);
  for (const std::string text : {"tp=2,sp=on,tp_overlap=off", "zero=3,prefetch=off"}) {
    const std::string off = text.substr(text.rfind(',') + 1);
    const auto waits = run(model, plan_of(text, model));
    const auto beside = run(model, plan_of(text.substr(0, text.rfind(',')), model));
    waits->step();
    beside->step();
    EXPECT_EQ(waits->state().param_bytes(), beside->state().param_bytes()) << off;
  }
}

TEST_F(Overlap, OptimizerBesideBackwardIsTheSerialOneBitForBit) {
  const auto executor = make_host_executor(*device_);
  const Model model = model_of(true);
  const std::string text = "zero=2,accumulation=2,grad_sync=last,clip=0";
  const Plan plan = plan_of(world_->size() > 4 ? "tp=2," + text : text, model);
  expect_forms_agree(*executor, *world_, model, plan, "");
}

// A piece whose rows are taken for another's is seen.
TEST_F(Overlap, PlantedFaultsAreSeen) {
  const Model model = model_of(true);
  const Plan plan = plan_of("tp=2,sp=on,tp_chunks=2,clip=0", model);
  Program faulty = step_program(model, plan, world_->rank());
  const auto one = alone(model, plan);
  one->step();
  for (Op& op : faulty.ops) {
    if (!op.label.starts_with("layer1.attn.qkv.in_order")) continue;
    op.kernel = pack(CopyShape{.elements = op.operands[0].elements}, op.kernel->dtype);
  }
  StepRun steps(*world_, model, plan, std::move(faulty));
  steps.step();
  EXPECT_GE(gradient_error(steps.state(), one->state()), 100 * kGradientTolerance);
}

}  // namespace
}  // namespace stepmark
