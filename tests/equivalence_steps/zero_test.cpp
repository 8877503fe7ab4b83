// SPDX-License-Identifier: Apache-2.0
// ZeRO-1 over MPI: losses and parameters of several steps equal those of one rank, and, where a sum
// has one order only, those of plain data parallelism bit for bit.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/equivalence_steps/optimizer_forms.h"
#include "tests/equivalence_steps/zero_fixture.h"

namespace stepmark {
namespace {

constexpr const char* kCommon = "seq=16,lr=1e-3,zero=1";

using ::testing::Ge;
using Zero = ZeroFixture;

// Plans of 8 sequences per step: degrees, and what else is to vary.
std::vector<std::string> plans_for(std::int64_t world) {
  static const std::map<std::int64_t, std::vector<std::string>> kPlans{
      {2, {"tp=1", "tp=1,accumulation=2,clip=0", "tp=1,clip=0.5,optimizer_overlap=on"}},
      {4,
       {"tp=1,clip=0,optimizer_overlap=on", "tp=2,clip=0.5", "tp=2,sp=on,accumulation=2,clip=0",
        "tp=2,sp=on,optimizer_overlap=on,bucket_mib=0.003", "pp=2,accumulation=2,clip=0.5"}},
      {8,
       {"tp=1", "tp=2,sp=on,accumulation=2,clip=0.5", "tp=4,sp=on,clip=0,optimizer_overlap=on",
        "tp=2,bucket_mib=1000", "pp=2,tp=2,sp=on,accumulation=4,schedule=zb-h1"}}};
  return kPlans.at(world);
}

Plan plan_of(const std::string& text, const Model& model, std::int64_t world) {
  Plan plan = parse_plan(text, parse_plan(std::string("bucket_mib=0.05,") + kCommon));
  plan.dp = world / (plan.tp * plan.pp);
  plan.micro_batch = 8 / (plan.dp * plan.accumulation);
  return resolve(plan, model, world);
}

// Removes op `index`, or (`again`) has it done once more right behind.
Program with_fault(const Program& program, std::int32_t index, bool again) {
  Program faulty = program;
  const auto at = faulty.ops.begin() + index;
  if (again) {
    faulty.ops.insert(at, *at);
  } else {
    faulty.ops.erase(at);
  }
  for (Op& op : faulty.ops) {
    std::erase_if(op.deps, [&](std::int32_t dep) { return !again && dep == index; });
    for (std::int32_t& dep : op.deps) {
      if (dep >= index) dep += again ? 1 : -1;
    }
  }
  return faulty;
}

TEST_F(Zero, LossGradientsAndParametersEqualOneRank) {
  bool llama = false;
  for (const std::string& text : plans_for(world_->size())) {
    const Model model = model_of(std::exchange(llama, !llama));
    const Plan plan = plan_of(text, model, world_->size());
    SCOPED_TRACE(model.name + " " + to_text(plan));
    expect_equals_one_rank(model, plan);
  }
}

// With two data-parallel ranks each gradient is a sum of two numbers: scattered or not, the bits
// are the same.
TEST_F(Zero, IsPlainDataParallelismBitForBit) {
  for (const std::int64_t vocab : {1001, 7}) {
    for (const char* text : {"clip=0", "clip=0,precision=bf16", "clip=0,accumulation=2"}) {
      const Model model = model_of(vocab == 7, vocab);
      Plan plan = plan_of(fmt::format("tp={},{}", world_->size() / 2, text), model, world_->size());
      plan.sequence_parallel = plan.tp > 2;
      SCOPED_TRACE(model.name + " " + to_text(plan));
      const auto sharded = run(model, plan);
      plan.zero = 0;
      const auto plain = run(model, plan);
      for (int i = 0; i < kSteps; ++i) {
        sharded->step();
        plain->step();
      }
      EXPECT_EQ(sharded->state().loss(), plain->state().loss());
      for (const Param& param : sharded->state().layout().params()) {
        const Param& same = plain->state().layout().find(param.name);
        EXPECT_EQ(sharded->state().param_values(param), plain->state().param_values(same))
            << param.name;
      }
      EXPECT_EQ(sharded->state().largest_between(), 0);
    }
  }
}

TEST_F(Zero, Bf16LearnsAndReplicasAgree) {
  const Model model = model_of(true);
  const Plan plan = plan_of("tp=1,precision=bf16,lr=3e-3", model, world_->size());
  const auto steps = run(model, plan);
  steps->step();
  const double first = steps->state().loss();
  for (int i = 1; i < 10; ++i) steps->step();
  EXPECT_LT(steps->state().loss(), first - 0.5);
  EXPECT_TRUE(replicas_agree(steps->state()));
  EXPECT_EQ(steps->state().largest_between(), 0);
}

TEST_F(Zero, OptimizerBesideBackwardIsTheSerialOneBitForBit) {
  const auto executor = make_host_executor(*device_);
  for (const char* text :
       {"tp=1,clip=0", "tp=1,clip=0.5,precision=bf16", "tp=2,clip=0,grad_norm=on"}) {
    const Model model = model_of(true);
    if (world_->size() == 2 && text[3] == '2') continue;  // no data-parallel ranks are left
    expect_forms_agree(*executor, *world_, model, plan_of(text, model, world_->size()), text);
  }
}

// What the comparisons are for: a shard that is updated twice, and one that does not reach the
// others.
TEST_F(Zero, PlantedFaultsAreSeen) {
  const Model model = model_of(true);
  const Plan plan = plan_of("tp=1,clip=0", model, world_->size());
  const Program program = step_program(model, plan, world_->rank());
  const auto one = alone(model, plan);
  const auto steps_of = [&](Program faulty) {
    auto steps = std::make_unique<StepRun>(*world_, model, plan, std::move(faulty));
    for (int i = 0; i < 2; ++i) steps->step();
    return steps;
  };
  for (int i = 0; i < 2; ++i) one->step();
  ASSERT_LT(param_error(steps_of(program)->state(), one->state()), kParamTolerance);
  std::int32_t update = 0, gather = 0;
  for (std::int32_t i = 0; i < std::ssize(program.ops); ++i) {
    const Op& op = program.ops[static_cast<std::size_t>(i)];
    if (op.kernel && op.kernel->id == OpId::adamw && update == 0) update = i;
    if (op.comm && op.comm->verb == Verb::all_gather && gather == 0) gather = i;
  }
  const auto twice = steps_of(with_fault(program, update, true));
  EXPECT_THAT(param_error(twice->state(), one->state()), Ge(kParamTolerance));
  const auto stale = steps_of(with_fault(program, gather, false));
  EXPECT_THAT(param_error(stale->state(), one->state()), Ge(kParamTolerance));
  EXPECT_FALSE(replicas_agree(stale->state()));
}

}  // namespace
}  // namespace stepmark
