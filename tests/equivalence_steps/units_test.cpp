// SPDX-License-Identifier: Apache-2.0
// ZeRO-2, ZeRO-3 and hybrid sharding over MPI, alone and mixed with other forms: loss, gradients
// and, after several steps, parameters equal those of one rank; memory is what the plan says.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "harness/program/memory_plan.h"
#include "harness/program/step_facts.h"
#include "tests/equivalence_steps/optimizer_forms.h"
#include "tests/equivalence_steps/zero_fixture.h"

namespace stepmark {
namespace {

constexpr double kBf16Tolerance = 3e-2;

// Plans of 8 sequences per step.
std::vector<std::string> plans_for(std::int64_t world) {
  static const std::map<std::int64_t, std::vector<std::string>> kPlans{
      {2,
       {"zero=2", "zero=2,accumulation=2,clip=0,optimizer_overlap=on", "zero=3",
        "zero=3,accumulation=2", "zero=3,reshard=off,accumulation=4,clip=0,optimizer_overlap=on",
        "zero=1,gather=forward", "zero=2,accumulation=2,gather=forward,clip=0.5"}},
      {4,
       {"zero=1,shard=2", "zero=2,shard=2,accumulation=2,gather=forward", "zero=3,shard=2",
        "tp=2,zero=2,accumulation=2", "tp=2,sp=on,zero=3,optimizer_overlap=on",
        "pp=2,zero=3,accumulation=2,clip=0.5", "pp=2,zero=2,accumulation=4,schedule=gpipe",
        "pp=2,chunks=2,schedule=interleaved,zero=3,reshard=off,accumulation=4"}},
      {8,
       {"zero=3", "zero=2,shard=4", "tp=2,sp=on,zero=3,shard=2,accumulation=2",
        "pp=2,tp=2,sp=on,zero=3,accumulation=4,clip=0,optimizer_overlap=on",
        "pp=2,zero=2,shard=2,accumulation=2", "pp=4,zero=3,accumulation=4"}}};
  return kPlans.at(world);
}

class Units : public ZeroFixture {
 protected:
  [[nodiscard]] Plan plan_of(const std::string& text, const Model& model) const {
    Plan plan = parse_plan(text, parse_plan("bucket_mib=0.05,seq=16,lr=1e-3"));
    plan.dp = world_->size() / (plan.tp * plan.pp);
    plan.micro_batch = 8 / (plan.dp * plan.accumulation);
    return resolve(plan, model, world_->size());
  }
  [[nodiscard]] static Model model_for(const std::string& text, bool llama) {
    Model model = model_of(llama);
    if (text.find("chunks=2") != std::string::npos) model.layers = 5;
    if (text.find("pp=4") != std::string::npos) model.layers = 4;
    return model;
  }
};

TEST_F(Units, LossGradientsAndParametersEqualOneRank) {
  bool llama = false;
  for (const std::string& text : plans_for(world_->size())) {
    const Model model = model_for(text, llama = !llama);
    const Plan plan = plan_of(text, model);
    SCOPED_TRACE(model.name + " " + to_text(plan));
    expect_equals_one_rank(model, plan);
  }
}

// Tables whose rows and positions are not all used, and dims that a device has padded.
TEST_F(Units, WhatFillsUpUnitsStaysZero) {
  for (const char* text : {"zero=2,accumulation=2", "zero=3"}) {
    Model model = odd_model(ModelFamily::gpt2, true, 49954);
    const Plan plan = parse_plan("seq=8,micro_batch=1", plan_of(text, model));
    SCOPED_TRACE(to_text(plan));
    StepRun steps(*world_, model, plan, world_->rank(), DeviceTraits{.dimension_multiple = 64});
    for (int i = 0; i < 2; ++i) steps.step();
    EXPECT_EQ(steps.state().largest_between(), 0);
    for (const Param& param : steps.state().layout().params()) {
      EXPECT_EQ(steps.state().largest_padding(param), 0) << param.name;
    }
  }
}

TEST_F(Units, GradientsReducedInBf16AreRoundedAndNoMore) {
  for (const char* text :
       {"reduce=bf16", "zero=1,reduce=bf16", "zero=3,reduce=bf16,accumulation=2"}) {
    const Model model = model_of(true);
    const Plan plan = plan_of(text, model);
    if (plan.micro_batch == 0) continue;
    SCOPED_TRACE(to_text(plan));
    const auto one = alone(model, plan);
    const auto steps = run(model, plan);
    one->step();
    steps->step();
    const double error = gradient_error(steps->state(), one->state());
    EXPECT_LT(error, kBf16Tolerance);
    EXPECT_GT(error, 1e-4) << "as if not rounded";
  }
}

TEST_F(Units, OptimizerBesideBackwardIsTheSerialOneBitForBit) {
  const auto executor = make_host_executor(*device_);
  for (const char* text : {"zero=2,clip=0", "zero=3,clip=0.5,precision=bf16",
                           "zero=3,reshard=off,clip=0,grad_norm=on"}) {
    const Model model = model_of(true);
    expect_forms_agree(*executor, *world_, model, plan_of(text, model), "");
  }
}

// What a plan says is what the arena has.
TEST_F(Units, MemoryIsWhatThePlanSays) {
  const Model model = model_of(false);
  for (const char* text : {"zero=2", "zero=3", "zero=3,reshard=off", "zero=3,reduce=bf16"}) {
    const Plan plan = plan_of(std::string(text) + ",optimizer_overlap=off", model);
    const auto steps = run(model, plan);
    EXPECT_EQ(rank_memory_bytes(model, plan, kHostTraits, world_->rank()),
              steps->runnable().arena()->bytes())
        << text;
  }
}

// A gather that is left out, gradients that are reduced once more: the comparison sees both.
TEST_F(Units, PlantedFaultsAreSeen) {
  const Model model = model_of(true);
  const Plan plan = plan_of("zero=3,clip=0", model);
  const Program program = step_program(model, plan, world_->rank());
  const auto one = alone(model, plan);
  one->step();
  const auto error_of_program = [&](Program faulty) {
    StepRun steps(*world_, model, plan, std::move(faulty));
    steps.step();
    return gradient_error(steps.state(), one->state());
  };
  EXPECT_LT(error_of_program(program), kGradientTolerance);
  Program stale = program;
  for (Op& op : stale.ops) {
    // Each rank gathers the shards of the unit in front.
    if (op.comm && op.label == "params.layer1") op.operands[0].offset = 0;
  }
  EXPECT_GE(error_of_program(stale), kGradientTolerance);
  Program lost = program;
  for (Op& op : lost.ops) {
    if (op.comm && op.label == "grads.layer1") op.comm->op = ReduceOp::max;
  }
  EXPECT_GE(error_of_program(lost), kGradientTolerance);
}

}  // namespace
}  // namespace stepmark
