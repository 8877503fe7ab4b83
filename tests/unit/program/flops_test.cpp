// SPDX-License-Identifier: Apache-2.0
// What the kernels of a step do against what the model is said to need: at long sequences the usual
// count, attention without causal halving, overstates the work, so that a utilisation from it can
// exceed 1; from the causal count it cannot.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/program/step.h"
#include "harness/spec/workload.h"

namespace stepmark {
namespace {

struct LongSequence {
  std::int64_t seq;
  double kernels_over_model;
};
class CausalShare : public ::testing::TestWithParam<LongSequence> {};

TEST_P(CausalShare, OfLlama3) {
  Model model = read_workload(STEPMARK_CONFIGS "/workloads/llama3-8b.yaml").model;
  model.max_seq = GetParam().seq;
  Plan plan;
  plan.precision = DType::bf16;
  plan = resolve(plan, model, 1);
  const double kernels = kernel_flops(step_program(model, plan, 0));
  const auto tokens = static_cast<double>(plan.tokens_per_step());
  const double usual = tokens * model.model_flops_per_token(plan.seq);
  const double causal = tokens * model.causal_model_flops_per_token(plan.seq);
  EXPECT_NEAR(kernels / usual, GetParam().kernels_over_model, 0.006);
  EXPECT_LT(causal, kernels);  // recompute of attention comes on top
  EXPECT_LT(causal, usual);
}

INSTANTIATE_TEST_SUITE_P(Lengths, CausalShare,
                         ::testing::Values(LongSequence{8192, 0.91}, LongSequence{131072, 0.66},
                                           LongSequence{524288, 0.61}),
                         [](const auto& length) { return std::to_string(length.param.seq); });

}  // namespace
}  // namespace stepmark
