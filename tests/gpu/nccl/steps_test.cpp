// SPDX-License-Identifier: Apache-2.0
// Whole steps on a GPU per rank: the optimizer beside the backward pass computes what it computes
// after it, bit for bit, captured and launched op by op. Own attention: cuDNN's adds up in no fixed
// order.
#include <gtest/gtest.h>

#include <cstdlib>

#include "harness/exec/cuda/cuda_executor.h"
#include "tests/equivalence_steps/optimizer_forms.h"
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

TEST_F(CudaSteps, OptimizerBesideBackwardIsTheSerialOneBitForBit) {
  forms_agree("micro_batch=1,seq=16,bucket_mib=0.01,precision=bf16", "clip=0");
  forms_agree("micro_batch=1,seq=16,bucket_mib=0.01,precision=bf16,accumulation=2", "clip=0.5");
  forms_agree("micro_batch=1,seq=16,bucket_mib=0.01,tp=2,sp=on", "clip=0,grad_norm=on");
}

}  // namespace
}  // namespace stepmark
