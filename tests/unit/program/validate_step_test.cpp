// SPDX-License-Identifier: Apache-2.0
// That what stands for a whole step stands for it: replicas run one program, micro-steps repeat.
#include "harness/program/validate_step.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/program/text.h"
#include "tests/unit/program/models.h"

namespace stepmark {
namespace {

Plan plan_of(std::string_view text, const Model& model, std::int64_t world) {
  return resolve(parse_plan(text), model, world);
}

class Repetition : public ::testing::TestWithParam<const char*> {
 protected:
  void check_replicas(const Model& model) {
    const Plan plan = plan_of(GetParam(), model, 8);
    for (std::int32_t rank = 0; rank < 8; ++rank) {
      const auto first = static_cast<std::int32_t>(rank % plan.tp);  // of its tensor rank
      const Program own = step_program(model, plan, rank);
      const Program other = step_program(model, plan, first);
      EXPECT_EQ(own.ops, other.ops);
      EXPECT_EQ(own.buffers, other.buffers);
      EXPECT_EQ(own.streams, other.streams);
    }
  }

  // Ops of each micro-step, dependencies and token slices relative to its begin.
  static std::vector<std::vector<Op>> micro_steps(const Program& program, std::int64_t tokens) {
    std::vector<std::vector<Op>> result;
    std::int32_t begin = 0;
    for (std::size_t i = 0; i < program.ops.size(); ++i) {
      Op op = program.ops[i];
      if (op.kernel && info_of(op.kernel->id).name == "embedding_fwd") {
        result.emplace_back();
        begin = static_cast<std::int32_t>(i);
      }
      for (std::int32_t& dep : op.deps) dep -= begin;
      for (BufferSlice& slice : op.operands) {
        if (slice.buffer < 0) continue;
        const std::string& name = program.buffers[static_cast<std::size_t>(slice.buffer)].name;
        if (name == kTokensBuffer || name == kTargetsBuffer) slice.offset %= tokens;
      }
      result.back().push_back(std::move(op));
    }
    return result;
  }

  void check_micro_steps(const Model& model) {
    Plan plan = plan_of(GetParam(), model, 8);
    plan.accumulation = 6;
    const auto steps = micro_steps(step_program(model, plan, 0), plan.micro_batch * plan.seq);
    ASSERT_EQ(steps.size(), 6U);
    for (std::size_t i = 2; i + 1 < steps.size(); ++i) EXPECT_EQ(steps[i], steps[1]) << i;
  }
};

TEST_P(Repetition, OfReplicas) {
  check_replicas(small_gpt2());
  check_replicas(small_llama());
}

TEST_P(Repetition, OfMicroSteps) {
  check_micro_steps(small_gpt2());
  check_micro_steps(small_llama());
}

INSTANTIATE_TEST_SUITE_P(Plans, Repetition,
                         ::testing::Values("dp=8", "tp=2", "tp=8", "tp=2,sp=on", "tp=4,sp=on"));

TEST(ValidateStep, ASmallWorldIsLookedAtWhole) {
  const Model model = small_llama();
  const StepValidation done = validate_step(model, plan_of("tp=2,accumulation=3", model, 8));
  EXPECT_TRUE(done.whole);
  EXPECT_EQ(done.ranks, 8);
}

TEST(ValidateStep, ALargeOneByWhatRepeats) {
  Model model = small_llama();
  model.layers = 6000;
  const Plan plan = plan_of("tp=8,accumulation=10", model, 1 << 14);
  const auto [small, cut] = sample_of(model, plan);
  EXPECT_EQ(small.tp, 8);
  EXPECT_EQ(small.dp, 1 << 11);
  EXPECT_EQ(small.accumulation, 3);
  EXPECT_LT(cut.layers, 6000);
  EXPECT_GE(cut.layers, 2);
  const StepValidation done = validate_step(model, plan);
  EXPECT_FALSE(done.whole);
  EXPECT_EQ(done.ranks, 1 << 14);
  EXPECT_EQ(done.micro_steps, 3);
}

}  // namespace
}  // namespace stepmark
