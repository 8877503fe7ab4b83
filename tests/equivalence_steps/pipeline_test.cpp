// SPDX-License-Identifier: Apache-2.0
// Every schedule, alone and mixed with the other forms, computes what one rank computes: loss,
// gradient norm and all gradients of the first step, parameters after several. Layers do not divide
// by the stages; tables are tied or not.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <memory>
#include <string>

#include "collectives/mpi/mpi_runtime.h"
#include "tests/equivalence_steps/optimizer_forms.h"
#include "tests/equivalence_steps/shard_error.h"
#include "tests/equivalence_steps/step_run.h"

namespace stepmark {
namespace {

constexpr std::int64_t kGlobalBatch = 8;
constexpr double kTolerance = 1e-5;       // 2-norm of the difference over the 2-norm, per tensor
constexpr double kParamTolerance = 1e-4;  // after several steps
constexpr int kSteps = 3;

Model model_of(bool llama, bool tied, std::int64_t layers) {
  Model model = equivalence_model(llama ? ModelFamily::llama : ModelFamily::gpt2, tied);
  model.layers = layers;
  model.vocab = 203;
  return model;
}

// Degrees without schedule and accumulation, for `world` ranks.
std::vector<std::string> degrees_of(std::int64_t world) {
  static const std::map<std::int64_t, std::vector<std::string>> kDegrees{
      {2, {"pp=2"}},
      {4, {"pp=4", "pp=2,tp=2", "pp=2,tp=2,sp=on", "pp=2,dp=2"}},
      {8, {"pp=4,tp=2,sp=on", "pp=4,dp=2", "pp=2,tp=2,dp=2,sp=on"}}};
  return kDegrees.at(world);
}

struct PipelineCase {
  Model model;
  Plan plan;
};

// Alone with as many micro-batches as stages and twice as many, mixed with one of both.
std::vector<PipelineCase> cases(std::int64_t world) {
  std::vector<PipelineCase> result;
  std::int64_t next = 0;
  for (const std::string& degrees : degrees_of(world)) {
    for (const char* schedule :
         {"schedule=gpipe", "schedule=1f1b", "schedule=interleaved,chunks=2", "schedule=zb-h1"}) {
      const bool mixed = degrees.find(',') != std::string::npos;
      const std::vector<std::int64_t> both{1, 2}, one{1 + next++ % 2};
      for (const std::int64_t rounds : mixed ? one : both) {
        const std::size_t turn = result.size();
        Plan plan =
            parse_plan(fmt::format("{},{},seq=16,bucket_mib=0.05,lr=3e-4", degrees, schedule));
        plan.dp = world / (plan.tp * plan.pp);
        plan.accumulation = rounds * plan.pp;
        if (plan.accumulation * plan.dp > kGlobalBatch) continue;
        plan.micro_batch = kGlobalBatch / (plan.dp * plan.accumulation);
        // 5 and 9 layers: a stage of them has one more.
        const Model model = model_of(turn % 2 == 0, turn % 3 != 0, 2 * plan.pp + 1);
        result.push_back({model, resolve(plan, model, world)});
      }
    }
  }
  return result;
}

// What one rank computes, in every process; no communication.
struct Reference {
  explicit Reference(const Model& model)
      : run(*self, model, resolve(parse_plan("micro_batch=8,seq=16,lr=3e-4"), model, 1), 0) {}

  std::unique_ptr<Comm> self = make_self_comm();
  StepRun run;
};

class Pipeline : public ::testing::Test {
 protected:
  std::unique_ptr<Comm> world_ = make_mpi_comm();
};

TEST_F(Pipeline, EverySchedulesStepsAreThoseOfOneRank) {
  for (const auto& [model, plan] : cases(world_->size())) {
    SCOPED_TRACE(fmt::format("{} layers={} tied={} {} rank {}", model.name, model.layers,
                             model.tied_embeddings, to_text(plan), world_->rank()));
    Reference one(model);
    StepRun steps(*world_, model, plan, world_->rank());
    one.run.step();
    steps.step();
    EXPECT_EQ(steps.state().has_loss(), !std::isnan(steps.state().loss()));
    if (steps.state().has_loss()) {
      EXPECT_NEAR(steps.state().loss() / one.run.state().loss(), 1.0, kTolerance);
    }
    EXPECT_NEAR(steps.state().gradient_norm() / one.run.state().gradient_norm(), 1.0, kTolerance);
    for (const Param& param : steps.state().layout().params()) {
      const Param& whole = one.run.state().layout().find(param.name);
      EXPECT_LT(
          shard_error(steps.state().grad_values(param), param, one.run.state().grad_values(whole)),
          kTolerance)
          << param.name;
    }
    for (int i = 1; i < kSteps; ++i) {
      one.run.step();
      steps.step();
    }
    for (const Param& param : steps.state().layout().params()) {
      const Param& whole = one.run.state().layout().find(param.name);
      EXPECT_LT(shard_error(steps.state().param_values(param), param,
                            one.run.state().param_values(whole)),
                kParamTolerance)
          << param.name;
    }
  }
}

TEST_F(Pipeline, OptimizerBesideBackwardIsTheSerialOneBitForBit) {
  std::size_t turn = 0;
  for (const auto& [model, plan] : cases(world_->size())) {
    if (turn++ % 5 != 0) continue;
    const auto device = make_host_device(1);
    const auto executor = make_host_executor(*device);
    expect_forms_agree(*executor, *world_, model, plan, turn % 2 == 0 ? "clip=0" : "clip=0.5");
  }
}

}  // namespace
}  // namespace stepmark
