// SPDX-License-Identifier: Apache-2.0
// Whole steps on a GPU per rank: the optimizer beside the backward pass computes what it computes
// after it, bit for bit, captured and launched op by op; and pipelines, shards, shared sequences
// and experts of other ranks compute what one rank does. Own attention: cuDNN's adds up in no fixed
// order.
#include <gtest/gtest.h>

#include <cstdlib>

#include "harness/exec/cuda/cuda_executor.h"
#include "tests/equivalence_steps/optimizer_forms.h"
#include "tests/equivalence_steps/shard_error.h"
#include "tests/gpu/nccl/world.h"

namespace stepmark {
namespace {

Model step_model(bool tied) {
  return {.name = tied ? "tied" : "untied",
          .family = tied ? ModelFamily::gpt2 : ModelFamily::llama,
          .layers = 2,
          .hidden = 32,
          .heads = 4,
          .kv_heads = 4,
          .head_dim = 8,
          .ffn = 64,
          .vocab = 101,
          .max_seq = 16,
          .tied_embeddings = tied};
}

class CudaSteps : public ::testing::Test {
 protected:
  void SetUp() override {
    setenv("STEPMARK_ATTENTION", "own", 1);  // NOLINT(concurrency-mt-unsafe): no threads read it
  }
  void forms_agree(const char* text, const char* optimizer) {
    const auto executor = make_cuda_executor(*test::world().device);
    Comm& world = *test::world().comm;
    for (const bool tied : {true, false}) {
      const Model model = step_model(tied);
      const Plan base = parse_plan(text);
      if (world.size() % base.tp != 0) continue;
      const Plan plan = resolve(base, model, world.size());
      expect_forms_agree(*executor, world, model, plan, optimizer, {.capture = tied});
    }
  }
};

// One step of a pipeline, if this many ranks fit it, against one rank of the same device.
void pipeline_agrees(const char* text, bool tied, bool capture) {
  const auto executor = make_cuda_executor(*test::world().device);
  Comm& world = *test::world().comm;
  const Plan base = parse_plan(text, parse_plan("micro_batch=1,seq=8,optimizer_overlap=off"));
  if (world.size() % (base.tp * base.pp) != 0) return;
  Model model = step_model(tied);
  model.layers = base.model_stages() + 1;
  SCOPED_TRACE(std::string(text) + (tied ? " tied" : " untied"));
  const Plan plan = resolve(base, model, world.size());
  StepForm steps(*executor, world, model, plan, {.capture = capture});
  const auto self = world.alone();
  StepForm one(*executor, *self, model, plan.on_one_rank(), {.capture = capture});
  for (int i = 0; i < 2; ++i) {  // the second with the parameters of the first
    steps.runnable->run();
    one.runnable->run();
  }
  if (steps.state.has_loss()) {
    EXPECT_NEAR(steps.state.loss() / one.state.loss(), 1.0, 1e-4);
  }
  EXPECT_NEAR(steps.state.gradient_norm() / one.state.gradient_norm(), 1.0, 1e-3);
  for (const Param& param : steps.state.layout().params()) {
    const Param& whole = one.state.layout().find(param.name);
    EXPECT_LT(shard_error(steps.state.grad_values(param), param, one.state.grad_values(whole)),
              1e-3)
        << param.name;
  }
}

TEST_F(CudaSteps, PipelinesComputeWhatOneRankComputes) {
  pipeline_agrees("pp=2,accumulation=2,schedule=1f1b", true, true);
  pipeline_agrees("pp=2,accumulation=3,schedule=zb-h1", false, false);
  pipeline_agrees("pp=2,accumulation=2,schedule=interleaved,chunks=2", true, false);
  pipeline_agrees("pp=4,accumulation=4,schedule=zb-h1", true, true);
  pipeline_agrees("pp=2,tp=2,sp=on,accumulation=2,schedule=gpipe", false, true);
}

// Loss and norm of two steps, if the plan goes with so many ranks, against one rank.
void steps_agree(const Model& model, const char* text, bool capture) {
  const auto executor = make_cuda_executor(*test::world().device);
  Comm& world = *test::world().comm;
  const Plan base = filled(
      parse_plan(text, parse_plan("micro_batch=1,seq=8,optimizer_overlap=off")), world.size());
  if (why_illegal(base, model, world.size())) return;
  SCOPED_TRACE(model.name + " " + text);
  const Plan plan = resolve(base, model, world.size());
  StepForm steps(*executor, world, model, plan, {.capture = capture});
  const auto self = world.alone();
  StepForm one(*executor, *self, model, plan.on_one_rank(), {.capture = capture});
  for (int i = 0; i < 2; ++i) {
    steps.runnable->run();
    one.runnable->run();
  }
  if (steps.state.has_loss()) {
    EXPECT_NEAR(steps.state.loss() / one.state.loss(), 1.0, 1e-4);
  }
  EXPECT_NEAR(steps.state.gradient_norm() / one.state.gradient_norm(), 1.0, 1e-3);
  EXPECT_EQ(steps.state.largest_between(), 0);
}

// Where there is anything to shard over.
void sharding_agrees(const char* text, bool tied, bool capture) {
  const Plan base = parse_plan(text);
  const std::int64_t dp = test::world().comm->size() / (base.tp * base.pp);
  if (dp >= 2 && base.shard < dp) steps_agree(step_model(tied), text, capture);
}

TEST_F(CudaSteps, ContextParallelStepsComputeWhatOneRankComputes) {
  const Model model = step_model(false);
  steps_agree(model, "cp=2", true);
  steps_agree(model, "cp=2,cp_kind=ring,zero=3", false);
  steps_agree(model, "cp=4,seq=16,cp_kind=ulysses", true);
}

TEST_F(CudaSteps, ExpertsOfOtherRanksComputeWhatOneRankComputes) {
  Model model = step_model(false);
  model.name = "experts";
  model.experts = 8;
  model.top_k = 2;
  model.aux_loss = 0.5;
  steps_agree(model, "ep=2,accumulation=2", true);
  steps_agree(model, "ep=4,routing=zipf,zero=1", false);
  steps_agree(model, "ep=2,tp=2,routing=uniform", true);
  steps_agree(model, "tp=2,sp=on,etp=1,ep=2,zero=1,clip=0.5", true);
  steps_agree(model, "ep=2,zero=3,accumulation=2,clip=0.5", true);
  steps_agree(model, "ep=4,zero=2,accumulation=2,routing=zipf", true);
  model.name = "experts and a shared one";
  model.shared_ffn = 16;
  steps_agree(model, "tp=2,sp=on,etp=1,ep=2,tp_chunks=2", true);
  steps_agree(model, "tp=4,sp=on,etp=2,ep=2", false);
}

TEST_F(CudaSteps, ShardedStepsComputeWhatOneRankComputes) {
  sharding_agrees("zero=2,accumulation=2", true, true);
  sharding_agrees("zero=3,accumulation=2", false, true);
  sharding_agrees("zero=3,shard=2,accumulation=2", true, false);
  sharding_agrees("zero=1,shard=2,gather=forward", false, true);
  sharding_agrees("tp=2,sp=on,zero=3,reshard=off", false, false);
  sharding_agrees("pp=2,zero=3,accumulation=2", true, true);
}

TEST_F(CudaSteps, OptimizerBesideBackwardIsTheSerialOneBitForBit) {
  forms_agree("micro_batch=1,seq=16,bucket_mib=0.01,precision=bf16", "clip=0");
  forms_agree("micro_batch=1,seq=16,bucket_mib=0.01,precision=bf16,accumulation=2", "clip=0.5");
  forms_agree("micro_batch=1,seq=16,bucket_mib=0.01,tp=2,sp=on", "clip=0,grad_norm=on");
  forms_agree("micro_batch=1,seq=16,bucket_mib=0.01,zero=1,precision=bf16", "clip=0");
  forms_agree("micro_batch=1,seq=16,bucket_mib=0.01,zero=1,tp=2,sp=on", "clip=0.5");
  forms_agree("micro_batch=1,seq=16,bucket_mib=0.01,zero=2,accumulation=2", "clip=0");
  forms_agree("micro_batch=1,seq=16,bucket_mib=0.01,zero=3,precision=bf16,reduce=bf16", "clip=0.5");
  forms_agree("micro_batch=1,seq=16,bucket_mib=0.01,zero=3,tp=2,sp=on,reshard=off",
              "clip=0,grad_norm=on");
}

}  // namespace
}  // namespace stepmark
