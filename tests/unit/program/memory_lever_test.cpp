// SPDX-License-Identifier: Apache-2.0
// What is named as the way to make a plan fit does make it fit.
#include "harness/spec/memory_lever.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/program/memory_plan.h"
#include "harness/program/step.h"
#include "harness/program/step_facts.h"

namespace stepmark {
namespace {

using ::testing::HasSubstr;

Model wide() {
  return {.name = "wide",
          .family = ModelFamily::llama,
          .layers = 8,
          .hidden = 64,
          .heads = 8,
          .kv_heads = 8,
          .head_dim = 8,
          .ffn = 128,
          .vocab = 512,
          .max_seq = 32};
}

Plan resolved(std::string_view text, std::int64_t ranks) {
  return resolve(parse_plan(text), wide(), ranks);
}

std::int64_t memory_of(const Plan& plan) { return step_memory_bytes(wide(), plan); }

std::optional<MemoryLever> lever(const Plan& plan, std::int64_t available, std::int64_t limit = 8) {
  return memory_lever(wide(), plan, available, limit, memory_of);
}

// Within the limit, legal, and by the program that would be built.
void expect_fits(const MemoryLever& found, std::int64_t available) {
  const Model model = sliced(wide(), found.plan);
  EXPECT_EQ(plan_memory(step_program(model, found.plan, 0)).bytes, found.bytes) << found.change;
  EXPECT_LE(found.bytes, available);
  EXPECT_EQ(why_illegal(found.plan, wide(), found.ranks), std::nullopt);
}

TEST(StepMemory, IsThatOfTheProgram) {
  for (const char* text :
       {"tp=1", "tp=2,sp=on", "micro_batch=4,accumulation=2", "precision=bf16,accumulation=4",
        "accumulation=3,layers=2", "precision=bf16,zero=1"}) {
    const Plan plan = resolved(text, 4);
    EXPECT_EQ(step_memory_bytes(wide(), plan),
              plan_memory(step_program(sliced(wide(), plan), plan, 0)).bytes)
        << text;
  }
}

TEST(MemoryLever, DataParallelRanksAreNone) {
  EXPECT_GE(memory_of(resolved("tp=1", 8)), memory_of(resolved("tp=1", 2)));
}

TEST(MemoryLever, TensorParallelismOnTheSameRanksComesFirst) {
  const Plan plan = resolved("tp=1,micro_batch=2", 4);
  const std::int64_t available = memory_of(resolved("tp=2,micro_batch=2", 4));
  const auto found = lever(plan, available);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->change, "tp=2,dp=2");
  EXPECT_EQ(found->ranks, 4);
  expect_fits(*found, available);
}

// Where tensor parallelism ends, what ranks hold alike goes first.
TEST(MemoryLever, ShardsTheOptimizersState) {
  const Plan plan = resolved("tp=1,micro_batch=2", 4);
  const std::int64_t available = memory_of(plan) - 1;
  const auto found = lever(plan, available, 1);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->change, "zero=1");
  EXPECT_EQ(found->ranks, 4);
  expect_fits(*found, available);
  EXPECT_EQ(lever(found->plan, found->bytes - 1, 1)->change, "micro_batch=1,accumulation=2");
}

TEST(MemoryLever, ShardsParametersWhereNothingCheaperHelps) {
  const Plan plan = resolved("tp=1,micro_batch=1,precision=bf16,zero=1,recompute=selective", 4);
  const std::int64_t available = memory_of(plan) - 1;
  const auto found = lever(plan, available, 1);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->change, "zero=3");
  expect_fits(*found, available);
}

TEST(MemoryLever, ReducesGradientsWithEveryMicroBatch) {
  const Plan plan = resolved("tp=1,zero=2,accumulation=2,grad_sync=last", 4);
  const std::int64_t available = memory_of(plan) - 1;
  const auto found = lever(plan, available, 1);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->change, "grad_sync=every");
  expect_fits(*found, available);
}

// As many ranks as divide the experts, and no more than it takes.
TEST(MemoryLever, SpreadsExpertsOverMoreRanks) {
  Model model = wide();
  model.experts = 6;
  model.top_k = 2;
  const auto memory = [&](const Plan& plan) { return step_memory_bytes(model, plan); };
  const Plan plan = resolve(parse_plan("tp=1,routing=uniform"), model, 6);
  const auto found = memory_lever(model, plan, memory(plan) - 1, 1, memory);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->change, "ep=2");
  const auto more = memory_lever(model, found->plan, found->bytes - 1, 1, memory);
  ASSERT_TRUE(more);
  EXPECT_EQ(more->change, "ep=3");
  EXPECT_EQ(more->ranks, 6);
}

TEST(MemoryLever, RecomputesWhatIsCheapBeforeItRoundsAndLayersAtTheEnd) {
  const Plan plan = resolved("tp=1,seq=32", 1);
  const std::int64_t available = memory_of(plan) - 1;
  const auto cheap = lever(plan, available, 1);
  ASSERT_TRUE(cheap);
  EXPECT_EQ(cheap->change, "recompute=selective");
  expect_fits(*cheap, available);
  const Plan narrow = parse_plan("precision=bf16", cheap->plan);
  const auto layers = lever(narrow, memory_of(narrow) - 1, 1);
  ASSERT_TRUE(layers);
  EXPECT_EQ(layers->change, "recompute=full");
  expect_fits(*layers, memory_of(narrow) - 1);
}

TEST(MemoryLever, KeepsTheBatchWhenMicroBatchesShrink) {
  const Plan plan = resolved("tp=1,micro_batch=8", 1);
  const std::int64_t available = memory_of(plan) - 1;
  const auto found = lever(plan, available, 1);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->change, "micro_batch=4,accumulation=2");
  EXPECT_EQ(found->plan.global_batch(), plan.global_batch());
  expect_fits(*found, available);
}

TEST(MemoryLever, GoesToMoreRanksAndThenToASlice) {
  const Plan plan = resolved("tp=2,precision=bf16", 2);
  const std::int64_t available = memory_of(resolved("tp=8,precision=bf16", 8));
  const auto ranks = lever(plan, available);
  ASSERT_TRUE(ranks);
  EXPECT_GT(ranks->ranks, 2);
  expect_fits(*ranks, available);
  const auto slice = lever(plan, available, 2);  // no wider group than two
  ASSERT_TRUE(slice);
  EXPECT_THAT(slice->change, HasSubstr("layers="));
  expect_fits(*slice, available);
  Plan more = slice->plan;
  ++more.layers;
  EXPECT_GT(memory_of(more), available) << "not the largest slice";
}

TEST(MemoryLever, SaysWhenNothingHelps) { EXPECT_FALSE(lever(resolved("tp=1", 1), 16)); }

}  // namespace
}  // namespace stepmark
