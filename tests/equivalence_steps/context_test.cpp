// SPDX-License-Identifier: Apache-2.0
// Context parallelism over MPI: loss, gradient norm and all gradients of the first step, losses and
// parameters of several, equal those of one rank, for every exchange, alone and mixed with the
// other forms; replicas hold the same bytes, and the memory of the step is what the plan says.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/equivalence_steps/optimizer_forms.h"
#include "tests/equivalence_steps/zero_fixture.h"

namespace stepmark {
namespace {

using ::testing::Ge;
using Context = ZeroFixture;

// Plans of 8 sequences per step, without cp_kind: degrees, and what else is to vary.
std::vector<std::string> plans_for(std::int64_t world) {
  static const std::map<std::int64_t, std::vector<std::string>> kPlans{
      {2,
       {"cp=2", "cp=2,accumulation=2,clip=0", "cp=2,zero=1",
        "cp=2,zero=3,accumulation=2,recompute=full"}},
      {4,
       {"cp=4", "cp=4,accumulation=4", "cp=2,tp=2",
        "cp=2,tp=2,sp=on,accumulation=2,recompute=selective", "cp=2,pp=2,accumulation=2",
        "cp=2,pp=2,accumulation=2,schedule=zb-h1,zero=1,recompute=full", "cp=2,zero=1",
        "cp=2,zero=2,accumulation=2", "cp=2,zero=3,shard=2", "cp=2,optimizer_overlap=on,clip=0.5"}},
      {8,
       {"cp=8", "cp=4,tp=2,sp=on", "cp=2,tp=2,pp=2,sp=on,accumulation=2", "cp=4,zero=1",
        "cp=2,pp=2,accumulation=4,schedule=interleaved,chunks=2,zero=2", "cp=2,zero=3,shard=4",
        "cp=2,tp=2,zero=3,reshard=off,accumulation=2"}}};
  return kPlans.at(world);
}

Plan plan_of(const std::string& text, const Model& model, std::int64_t world) {
  Plan plan = parse_plan(text, parse_plan("bucket_mib=0.05,seq=16,lr=1e-3"));
  plan.dp = world / (plan.tp * plan.cp * plan.pp);
  plan.micro_batch = 8 / (plan.dp * plan.accumulation);
  return resolve(plan, model, world);
}

Model model_for(const std::string& text, bool llama) {
  Model model = model_of(llama, 203);
  if (text.find("pp=") != std::string::npos) model.layers = 5;
  return model;
}

class ContextKinds : public Context, public ::testing::WithParamInterface<const char*> {};

TEST_P(ContextKinds, StepsAreThoseOfOneRank) {
  bool llama = true;
  for (const std::string& degrees : plans_for(world_->size())) {
    const std::string text = fmt::format("{},cp_kind={}", degrees, GetParam());
    const Model model = model_for(text, std::exchange(llama, !llama));
    const Plan plan = plan_of(text, model, world_->size());
    SCOPED_TRACE(model.name + " " + to_text(plan));
    expect_equals_one_rank(model, plan);
  }
}

TEST_P(ContextKinds, Bf16LearnsAndReplicasAgree) {
  const Model model = model_of(true);
  const std::string text =
      fmt::format("cp={},cp_kind={},precision=bf16,lr=3e-3", world_->size(), GetParam());
  const auto steps = run(model, plan_of(text, model, world_->size()));
  steps->step();
  const double first = steps->state().loss();
  for (int i = 1; i < 10; ++i) steps->step();
  EXPECT_LT(steps->state().loss(), first - 0.5);
  EXPECT_TRUE(replicas_agree(steps->state()));
}

TEST_P(ContextKinds, OptimizerBesideBackwardIsTheSerialOneBitForBit) {
  const auto executor = make_host_executor(*device_);
  const Model model = model_of(false);
  const std::string text = fmt::format("cp=2,cp_kind={},clip=0", GetParam());
  expect_forms_agree(*executor, *world_, model, plan_of(text, model, world_->size()), text);
}

INSTANTIATE_TEST_SUITE_P(Kinds, ContextKinds, ::testing::Values("allgather", "ring", "ulysses"),
                         [](const auto& kind) { return std::string(kind.param); });

// What the comparisons are for: a rank that attends to keys at other positions than theirs, and one
// whose results are not merged.
TEST_F(Context, PlantedFaultsAreSeen) {
  const Model model = model_of(true);
  const Plan plan =
      plan_of(fmt::format("cp={},cp_kind=ring,clip=0", world_->size()), model, world_->size());
  const Program program = step_program(model, plan, world_->rank());
  const auto one = alone(model, plan);
  one->step();
  const auto error_of = [&](const char* dim, OpId id, bool every) {
    Program faulty = program;
    for (Op& op : faulty.ops) {
      if (!op.kernel || op.kernel->id != id) continue;
      const auto& names = info_of(id).dim_names;
      const auto at = std::find(names.begin(), names.end(), dim) - names.begin();
      auto& value = op.kernel->dims[static_cast<std::size_t>(at)];
      if (every || value == 1) value = every ? (value + 1) % plan.cp : 0;
    }
    const auto steps = std::make_unique<StepRun>(*world_, model, plan, std::move(faulty));
    steps->step();
    return gradient_error(steps->state(), one->state());
  };
  const auto right = run(model, plan);
  right->step();
  ASSERT_LT(gradient_error(right->state(), one->state()), kGradientTolerance);
  EXPECT_THAT(error_of("pair", OpId::rope_chunks, true), Ge(100 * kGradientTolerance));
  EXPECT_THAT(error_of("key_pair", OpId::attention_chunks_fwd, true), Ge(100 * kGradientTolerance));
  EXPECT_THAT(error_of("accumulate", OpId::attention_chunks_fwd, false),
              Ge(100 * kGradientTolerance));
}

}  // namespace
}  // namespace stepmark
