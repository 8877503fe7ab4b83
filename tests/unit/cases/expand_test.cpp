// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "core/error.h"
#include "harness/cases/case.h"

namespace stepmark {
namespace {

using testing::HasSubstr;

std::vector<Workload> workloads() {
  Workload small;
  small.name = "small";
  small.model.name = "small";
  small.model.layers = 2;
  small.model.hidden = 64;
  small.model.heads = 4;
  small.model.kv_heads = 4;
  small.model.ffn = 128;
  small.model.vocab = 256;
  small.model.max_seq = 32;
  return {small};
}

Suite suite_of(SuiteEntry entry) {
  Suite suite;
  suite.entries.push_back(std::move(entry));
  return suite;
}

StepEntry step(std::vector<std::string> plans) {
  return {.workload = "small", .plans = std::move(plans)};
}

std::string error_of(const Suite& suite, int world_size) {
  try {
    (void)expand(suite, world_size, workloads());
    return {};
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return error.message();
  }
}

TEST(ExpandTest, TakesTheFirstPlanThatFitsTheWorld) {
  const Suite suite = suite_of(step({"tp=2,dp=2", "tp=2,dp=1", "tp=1,dp=1"}));
  for (const auto& [ranks, part] : {std::pair{4, "tp2.dp2"}, {2, "tp2.dp1"}, {1, "tp1.dp1"}}) {
    const auto cases = expand(suite, ranks, workloads());
    ASSERT_EQ(cases.size(), 1U);
    EXPECT_THAT(cases[0]->id(), HasSubstr(std::string("step/small/") + part));
    EXPECT_EQ(cases[0]->family(), "step");
  }
}

TEST(ExpandTest, NoPlanThatFitsIsASkippedCaseWithEveryReason) {
  const auto cases = expand(suite_of(step({"tp=2,dp=2", "tp=2,dp=1"})), 3, workloads());
  ASSERT_EQ(cases.size(), 1U);
  EXPECT_EQ(cases[0]->weight(), 0.0);
}

TEST(ExpandTest, OnlyPlanThatDoesNotFitIsAMistake) {
  EXPECT_THAT(error_of(suite_of(step({"tp=2,dp=2"})), 3), HasSubstr("needs 4 ranks"));
}

TEST(ExpandTest, UnknownWorkloadNamesTheNearest) {
  EXPECT_THAT(error_of(suite_of(StepEntry{.workload = "smal", .plans = {"tp=1"}}), 1),
              HasSubstr("did you mean 'small'"));
}

TEST(ExpandTest, CollectivesNeedAWorld) {
  const CollectiveEntry entry{.kinds = {CollectiveKind::all_reduce, CollectiveKind::all_gather},
                              .dtypes = {DType::f32},
                              .ops = {ReduceOp::sum},
                              .min_bytes = 1024,
                              .max_bytes = 4096,
                              .factor = 2,
                              .in_place = true,
                              .out_of_place = true};
  const auto many = expand(suite_of(entry), 2, {});
  const auto alone = expand(suite_of(entry), 1, {});
  EXPECT_EQ(many.size(), alone.size());
  EXPECT_GE(many.size(), 2U * 3U);
  std::set<std::string> ids;
  for (const auto& one : many) {
    EXPECT_GT(one->weight(), 0.0);
    ids.insert(one->id());
  }
  EXPECT_EQ(ids.size(), many.size());
  for (const auto& one : alone) EXPECT_EQ(one->weight(), 0.0);  // skipped
}

TEST(ExpandTest, KernelsAreLimitedByBytesAndWork) {
  KernelEntry entry{.ops = {OpId::gemm}, .dtypes = {DType::f32}};
  const std::size_t all = expand(suite_of(entry), 1, {}).size();
  EXPECT_GT(all, 1U);
  entry.max_gflop = 1e-12;
  EXPECT_EQ(expand(suite_of(entry), 1, {}).size(), 0U);
  entry = {.ops = {OpId::gemm}, .dtypes = {DType::f32}, .max_bytes = 1};
  EXPECT_EQ(expand(suite_of(entry), 1, {}).size(), 0U);
}

TEST(ExpandTest, GroupsTakeTheFirstPlanThatFits) {
  const GroupsEntry entry{
      .plans = {"tp=2,dp=2", "tp=2", "tp=1"},
      .traffic = {{.axis = "tp", .bytes = 4096}, {.axis = "dp", .bytes = 8192}}};
  for (const auto& [ranks, id] :
       {std::pair{4, "groups/tp2.dp2/tp.all_reduce.4KiB+dp.all_reduce.8KiB/fp32"},
        {2, "groups/tp2.dp1/tp.all_reduce.4KiB/fp32"},
        {3, "groups/tp1.dp3/dp.all_reduce.8KiB/fp32"}}) {
    const auto cases = expand(suite_of(entry), ranks, {});
    ASSERT_EQ(cases.size(), 1U);
    EXPECT_EQ(cases[0]->id(), id);
    EXPECT_GT(cases[0]->weight(), 0.0);
  }
  EXPECT_EQ(expand(suite_of(entry), 1, {})[0]->weight(), 0.0);
  GroupsEntry only_tp = entry;
  only_tp.plans = {"tp=1"};
  only_tp.traffic = {{.axis = "tp", .bytes = 4096}};
  EXPECT_EQ(expand(suite_of(only_tp), 4, {})[0]->weight(), 0.0);  // tp has one rank
}

TEST(ExpandTest, OverlapSweepsItsLists) {
  const OverlapEntry entry{.m = 8,
                           .n = 8,
                           .k = 8,
                           .kinds = {CollectiveKind::all_reduce, CollectiveKind::all_gather},
                           .bytes = {1024, 4096},
                           .max_ctas = {0, 4, 16},
                           .occupy_ctas = {1, 8},
                           .priorities = {"normal", "high"}};
  std::set<std::string> ids;
  for (const auto& one : expand(suite_of(entry), 4, {})) ids.insert(one->id());
  EXPECT_EQ(ids.size(), 2U * 2U * 3U * 2U);
  EXPECT_TRUE(ids.contains("overlap/all_gather/4KiB/gemm8x8x8/fp32/ctas16/high/world4"));
  ids.clear();
  for (const auto& one : expand(suite_of(entry), 1, {})) ids.insert(one->id());
  EXPECT_EQ(ids.size(), 2U * 2U);
  EXPECT_TRUE(ids.contains("overlap/occupy/gemm8x8x8/fp32/ctas8/normal/world1"));
}

}  // namespace
}  // namespace stepmark
