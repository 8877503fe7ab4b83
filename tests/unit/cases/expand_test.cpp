// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "core/error.h"
#include "harness/cases/expand.h"
#include "harness/cases/families/ablation.h"
#include "harness/cases/families/collective.h"
#include "harness/cases/families/groups.h"
#include "harness/cases/families/kernel.h"
#include "harness/cases/families/overlap.h"
#include "harness/cases/families/step.h"

namespace stepmark {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

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
    const auto cases = expand(suite, ranks, workloads()).cases;
    ASSERT_EQ(cases.size(), 1U);
    EXPECT_THAT(cases[0]->id(), HasSubstr(std::string("step/small/") + part));
    EXPECT_EQ(cases[0]->family(), "step");
  }
}

TEST(ExpandTest, NoPlanThatFitsIsASkippedCaseWithEveryReason) {
  const auto cases = expand(suite_of(step({"tp=2,dp=2", "tp=2,dp=1"})), 3, workloads()).cases;
  ASSERT_EQ(cases.size(), 1U);
  EXPECT_EQ(cases[0]->weight(), 0.0);
}

TEST(ExpandTest, AStepIsMeasuredWithoutEachOfItsParts) {
  AblationEntry entry{.workload = "small", .plans = {"tp=2,dp=2", "tp=2,dp=1", "tp=1"}};
  const auto ids = [&](int ranks) {
    std::vector<std::string> all;
    for (const auto& one : expand(suite_of(entry), ranks, workloads()).cases) {
      EXPECT_EQ(one->family(), "ablation");
      all.push_back(one->id().substr(one->id().rfind('/') + 1));
    }
    return all;
  };
  EXPECT_THAT(ids(4),
              ElementsAre("tp", "dp", "communication", "compute", "all-but-tp", "all-but-dp"));
  EXPECT_THAT(ids(2), ElementsAre("tp", "compute"));
  EXPECT_THAT(expand(suite_of(entry), 1, workloads()).remarks,
              ElementsAre(HasSubstr("ranks do not talk at all")));
  entry.parts = {"dp", "pp"};
  EXPECT_THAT(ids(4), ElementsAre("dp"));
  EXPECT_THAT(expand(suite_of(entry), 4, workloads()).remarks,
              ElementsAre(HasSubstr("no pp to leave out of small/tp2.dp2")));
}

TEST(ExpandTest, OnlyPlanThatDoesNotFitIsAMistake) {
  EXPECT_THAT(error_of(suite_of(step({"tp=2,dp=2"})), 3), HasSubstr("needs 4 ranks"));
}

TEST(ExpandTest, UnknownWorkloadNamesTheNearest) {
  EXPECT_THAT(error_of(suite_of(StepEntry{.workload = "smal", .plans = {"tp=1"}}), 1),
              HasSubstr("did you mean 'small'"));
}

TEST(ExpandTest, CollectivesNeedAWorld) {
  const CollectiveEntry entry{{.kinds = {CollectiveKind::all_reduce, CollectiveKind::all_gather},
                               .sizes = {1024, 2048, 4096},
                               .in_place = true}};
  const auto many = expand(suite_of(entry), 2, {}).cases;
  const auto alone = expand(suite_of(entry), 1, {}).cases;
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
  const std::size_t all = expand(suite_of(entry), 1, {}).cases.size();
  EXPECT_GT(all, 1U);
  entry.max_gflop = 1e-12;
  EXPECT_EQ(expand(suite_of(entry), 1, {}).cases.size(), 0U);
  entry = {.ops = {OpId::gemm}, .dtypes = {DType::f32}, .max_bytes = 1};
  EXPECT_EQ(expand(suite_of(entry), 1, {}).cases.size(), 0U);
  entry = {.ops = {OpId::gemm}, .dtypes = {DType::f32}, .min_bytes = 100e6};
  const std::size_t large = expand(suite_of(entry), 1, {}).cases.size();
  EXPECT_GT(large, 0U);
  EXPECT_LT(large, all);
}

TEST(ExpandTest, WhatLimitsLeaveNothingOfIsRemarked) {
  const KernelEntry limited{.ops = {OpId::gemm}, .dtypes = {DType::f32}, .max_bytes = 1};
  EXPECT_THAT(expand(suite_of(limited), 1, {}).remarks,
              ElementsAre(AllOf(HasSubstr("kernel gemm fp32"), HasSubstr("dropped"))));
}

TEST(ExpandTest, ATypeThatAnOpLacksIsAMistakeWhenAskedForAlone) {
  KernelEntry entry{.ops = {OpId::gemm}, .dtypes = {DType::f32, DType::f16}};
  entry.place = {.file = "s.yaml", .line = 4, .column = 13};
  EXPECT_EQ(error_of(suite_of(entry), 1), "s.yaml:4:13: op gemm has no fp16, but: fp32, bf16");
}

TEST(ExpandTest, ATypeThatOpsOfASweepLackIsDroppedWithOneRemark) {
  const KernelEntry entry{.ops = {OpId::gemm, OpId::copy}, .dtypes = {DType::f16, DType::bf16}};
  const Expansion expansion = expand(suite_of(entry), 1, {});
  EXPECT_THAT(expansion.remarks,
              ElementsAre("kernel of all 2 ops: fp32, bf16 only, no fp16: dropped"));
  EXPECT_FALSE(expansion.cases.empty());
  for (const auto& one : expansion.cases) EXPECT_THAT(one->id(), HasSubstr("/bf16/"));
}

TEST(ExpandTest, WhatIsExpandedCanBeRun) {
  for (const OpInfo* info : all_ops()) {
    EXPECT_THAT(dtypes_of(info->id), testing::Contains(DType::f32)) << info->name;
    for (const DType dtype : dtypes_of(info->id)) {
      for (const OpShape& shape : info->bench_shapes(dtype)) EXPECT_NO_THROW(validate_shape(shape));
    }
  }
}

TEST(ExpandTest, SizesWithoutAnElementAreDroppedInEveryFamily) {
  const CollectiveEntry sweep{
      {.kinds = {CollectiveKind::all_reduce, CollectiveKind::all_gather}, .sizes = {1, 8}}};
  const Expansion collectives = expand(suite_of(sweep), 4, {});
  ASSERT_EQ(collectives.cases.size(), 1U);
  EXPECT_EQ(collectives.cases[0]->id(), "collective/all_reduce/fp32/sum/8B/out-of-place/world4");
  EXPECT_EQ(collectives.remarks.size(), 2U);

  const GroupsEntry groups{.plans = {"tp=2,dp=2"},
                           .traffic = {{.axis = "tp", .bytes = 4096}, {.axis = "dp", .bytes = 3}}};
  const Expansion none = expand(suite_of(groups), 4, {});
  EXPECT_TRUE(none.cases.empty());
  EXPECT_THAT(none.remarks, ElementsAre(AllOf(HasSubstr("3B"), HasSubstr("dropped"))));

  const OverlapEntry overlap{.m = 8,
                             .n = 8,
                             .k = 8,
                             .kinds = {CollectiveKind::all_gather},
                             .bytes = {15, 16},
                             .max_ctas = {0},
                             .occupy_ctas = {1},
                             .priorities = {"normal"}};
  const Expansion beside = expand(suite_of(overlap), 4, {});
  ASSERT_EQ(beside.cases.size(), 1U);
  EXPECT_THAT(beside.cases[0]->id(), HasSubstr("/16B/"));
  EXPECT_THAT(beside.remarks, ElementsAre(HasSubstr("no element in 15B: dropped")));
}

TEST(ExpandTest, FallbacksThatMeetAreOneCase) {
  Suite suite = suite_of(step({"tp=2", "tp=1"}));
  suite.entries.emplace_back(step({"tp=4", "tp=1"}));
  suite.entries.emplace_back(step({"tp=1"}));
  const Expansion odd = expand(suite, 7, workloads());
  ASSERT_EQ(odd.cases.size(), 1U);
  EXPECT_THAT(odd.remarks,
              ElementsAre(AllOf(HasSubstr("measured once"), HasSubstr("step/small/tp1.dp7"))));
  EXPECT_EQ(expand(suite, 4, workloads()).cases.size(), 3U);
  EXPECT_THAT(expand(suite, 4, workloads()).remarks, IsEmpty());
}

TEST(ExpandTest, SizesOfSeveralEntriesThatRoundAlikeAreOneCase) {
  CollectiveEntry entry{{.kinds = {CollectiveKind::all_reduce}, .sizes = {8}}};
  Suite suite = suite_of(entry);
  entry.sweep.sizes = {9};
  suite.entries.emplace_back(entry);
  const Expansion expansion = expand(suite, 2, {});
  ASSERT_EQ(expansion.cases.size(), 1U);
  EXPECT_THAT(expansion.remarks, ElementsAre(HasSubstr("9B/out-of-place/world2 (as collective/")));
}

TEST(ExpandTest, OneNameForTwoDifferentCasesIsAMistake) {
  Suite suite = suite_of(step({"tp=1,lr=0.1"}));
  suite.entries.emplace_back(step({"tp=1,lr=0.2"}));
  EXPECT_THAT(error_of(suite, 1), AllOf(HasSubstr("different settings"), HasSubstr("lr=0.2")));
}

TEST(ExpandTest, NamesTellSizesApart) {
  const OverlapEntry entry{.m = 8,
                           .n = 8,
                           .k = 8,
                           .kinds = {CollectiveKind::all_reduce},
                           .bytes = {1500000, 1500100},
                           .max_ctas = {0},
                           .occupy_ctas = {1},
                           .priorities = {"normal"}};
  EXPECT_EQ(expand(suite_of(entry), 2, {}).cases.size(), 2U);
}

TEST(ExpandTest, MistakesOfAStepHaveTheirPlace) {
  StepEntry entry = step({"tp=2,dp=2"});
  entry.place = {.file = "s.yaml", .line = 7, .column = 15};
  EXPECT_THAT(error_of(suite_of(entry), 3),
              AllOf(StartsWith("s.yaml:7:15: "), HasSubstr("needs 4 ranks")));
  entry.workload = "smal";
  EXPECT_THAT(error_of(suite_of(entry), 4), StartsWith("s.yaml:7:15: unknown workload"));
}

TEST(ExpandTest, GroupsTakeTheFirstPlanThatFits) {
  const GroupsEntry entry{
      .plans = {"tp=2,dp=2", "tp=2", "tp=1"},
      .traffic = {{.axis = "tp", .bytes = 4096}, {.axis = "dp", .bytes = 8192}}};
  for (const auto& [ranks, id] :
       {std::pair{4, "groups/tp2.dp2/tp.all_reduce.4KiB+dp.all_reduce.8KiB/fp32"},
        {2, "groups/tp2.dp1/tp.all_reduce.4KiB/fp32"},
        {3, "groups/tp1.dp3/dp.all_reduce.8KiB/fp32"}}) {
    const auto cases = expand(suite_of(entry), ranks, {}).cases;
    ASSERT_EQ(cases.size(), 1U);
    EXPECT_EQ(cases[0]->id(), id);
    EXPECT_GT(cases[0]->weight(), 0.0);
  }
  EXPECT_EQ(expand(suite_of(entry), 1, {}).cases[0]->weight(), 0.0);
  GroupsEntry only_tp = entry;
  only_tp.plans = {"tp=1"};
  only_tp.traffic = {{.axis = "tp", .bytes = 4096}};
  EXPECT_EQ(expand(suite_of(only_tp), 4, {}).cases[0]->weight(), 0.0);  // tp has one rank
}

TEST(ExpandTest, GroupsAndOverlapsOfAPlanTakeTheFirstLegalOne) {
  const WorkloadPlans of{.workload = "small",
                         .plans = {"tp=2,pp=2", "tp=8,dp=1", "tp=2,dp=1"},
                         .place = {.file = "s.yaml", .line = 7, .column = 15}};
  const PlanGroupsEntry groups{.of = of};
  const PlanOverlapEntry overlap{.of = of, .max_ctas = {0, 4}, .priorities = {"normal", "high"}};
  Suite both = suite_of(groups);
  both.entries.emplace_back(overlap);
  const auto cases = expand(both, 2, workloads()).cases;
  ASSERT_EQ(cases.size(), 1U + 4U);
  EXPECT_EQ(cases[0]->id(), "groups/small/tp2.dp1.mb1.seq32.fp32");
  EXPECT_EQ(cases[4]->id(), "overlap/small/tp2.dp1.mb1.seq32.fp32/tp/ctas4/high");
  EXPECT_THAT(cases[0]->definition(), HasSubstr("/dp=1,tp=2,"));
  EXPECT_GT(cases[0]->weight(), 0.0);
  for (const auto& one : expand(both, 3, workloads()).cases) {  // none is legal
    EXPECT_EQ(one->weight(), 0.0);
    EXPECT_THAT(one->id(), HasSubstr("/small/tp=2,pp=2"));
  }
  PlanGroupsEntry unknown = groups;
  unknown.of.workload = "smal";
  EXPECT_THAT(error_of(suite_of(unknown), 4), StartsWith("s.yaml:7:15: unknown workload"));
  PlanOverlapEntry bad = overlap;
  bad.of.plans = {"tp=3,dp=1"};
  EXPECT_THAT(error_of(suite_of(bad), 4), StartsWith("s.yaml:7:15: "));
}

TEST(ExpandTest, GroupsAndOverlapsOfOneRankAreRemarks) {
  Suite both = suite_of(PlanGroupsEntry{.of = {.workload = "small", .plans = {"tp=1"}}});
  both.entries.emplace_back(PlanOverlapEntry{
      .of = {.workload = "small", .plans = {"tp=1"}}, .max_ctas = {0}, .priorities = {"normal"}});
  const Expansion alone = expand(both, 1, workloads());
  EXPECT_TRUE(alone.cases.empty());
  EXPECT_THAT(alone.remarks,
              ElementsAre(HasSubstr("no groups of small/tp1.dp1"), HasSubstr("nothing beside")));
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
  for (const auto& one : expand(suite_of(entry), 4, {}).cases) ids.insert(one->id());
  EXPECT_EQ(ids.size(), 2U * 2U * 3U * 2U);
  EXPECT_TRUE(ids.contains("overlap/all_gather/4KiB/gemm8x8x8/fp32/ctas16/high/world4"));
  ids.clear();
  for (const auto& one : expand(suite_of(entry), 1, {}).cases) ids.insert(one->id());
  EXPECT_EQ(ids.size(), 2U * 2U);
  EXPECT_TRUE(ids.contains("overlap/occupy/gemm8x8x8/fp32/ctas8/normal/world1"));
}

}  // namespace
}  // namespace stepmark
