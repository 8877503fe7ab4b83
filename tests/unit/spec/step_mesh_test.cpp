// SPDX-License-Identifier: Apache-2.0
// The dense and the expert mesh over the same ranks, by the formulas of their definition.
#include "harness/spec/step_mesh.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "core/error.h"
#include "harness/spec/param_layout.h"

namespace stepmark {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Degrees kDegrees{
    .tensor = 2, .context = 2, .data = 4, .pipeline = 3, .expert_tensor = 1, .expert = 8};

TEST(StepMesh, RanksHaveTheirPlacesOnBothMeshes) {
  const StepMesh mesh(kDegrees);
  ASSERT_EQ(mesh.size(), 48);
  EXPECT_EQ(mesh.expert().size(), 48);
  EXPECT_EQ(mesh.expert().degree("edp"), 2);
  for (std::int32_t rank = 0; rank < mesh.size(); ++rank) {
    const auto d = [&](const char* axis) { return mesh.dense().coordinate(rank, axis); };
    const auto e = [&](const char* axis) { return mesh.expert().coordinate(rank, axis); };
    EXPECT_EQ(rank, d("tp") + 2 * (d("cp") + 2 * (d("dp") + 4 * d("pp"))));
    EXPECT_EQ(rank, e("etp") + 1 * (e("ep") + 8 * (e("edp") + 2 * e("pp"))));
    EXPECT_EQ(d("pp"), e("pp")) << "both have the same stages";
    EXPECT_EQ(mesh.data_share(rank), d("dp"));
    EXPECT_EQ(mesh.context_part(rank), d("cp"));
    EXPECT_EQ(mesh.has_loss(rank), d("pp") == 2);
  }
  EXPECT_EQ(mesh.data_shares(), 4);
}

TEST(StepMesh, DerivedGroups) {
  const StepMesh mesh(kDegrees);
  EXPECT_THAT(mesh.group(5, StepGroup::tensor), ElementsAre(4, 5));
  EXPECT_THAT(mesh.group(5, StepGroup::gradients), ElementsAre(1, 3, 5, 7, 9, 11, 13, 15));
  EXPECT_THAT(mesh.group(5, StepGroup::expert), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  EXPECT_THAT(mesh.group(5, StepGroup::expert_gradients), ElementsAre(5, 13));
  EXPECT_THAT(mesh.group(5, StepGroup::pipeline), ElementsAre(5, 21, 37));
  EXPECT_THAT(mesh.group(21, StepGroup::tied_tables), ElementsAre(5, 37));
  EXPECT_THAT(mesh.group(5, StepGroup::model), ElementsAre(4, 5, 20, 21, 36, 37));
  EXPECT_EQ(StepMesh::name_of(StepGroup::gradients), "dp_cp");
  EXPECT_EQ(StepMesh::name_of(StepGroup::tied_tables), "embedding");
  EXPECT_EQ(mesh.size_of(StepGroup::gradients), 8);
  EXPECT_EQ(mesh.size_of(StepGroup::tied_tables), 2);
}

TEST(StepMesh, WhatIsShardedIsSpreadOverContextAndData) {
  EXPECT_EQ(StepMesh(kDegrees).shard_group(), StepGroup::gradients);
  EXPECT_EQ(StepMesh(Degrees{.data = 4}).shard_group(), StepGroup::data);
  Degrees hybrid = kDegrees;
  hybrid.shard = 4;
  const StepMesh mesh(hybrid);
  EXPECT_EQ(mesh.shard_group(), StepGroup::data_shard);
  EXPECT_THAT(mesh.group(5, StepGroup::data_shard), ElementsAre(1, 3, 5, 7));
  EXPECT_THAT(mesh.group(5, StepGroup::data_replicate), ElementsAre(5, 13));
  EXPECT_EQ(mesh.size_of(StepGroup::data_replicate), 2);
}

// A shard group, with its tensor-parallel ranks, has whole copies of all experts.
TEST(StepMesh, ExpertsAreShardedWithinTheRanksThatShardTheRest) {
  Degrees degrees{.tensor = 2, .data = 4, .expert_tensor = 1, .expert = 2};
  EXPECT_EQ(StepMesh(degrees).expert_shard_group(), StepGroup::expert_gradients);
  degrees.shard = 2;
  const StepMesh mesh(degrees);
  EXPECT_EQ(mesh.expert_shard_group(), StepGroup::expert_shard);
  EXPECT_THAT(mesh.group(3, StepGroup::expert_gradients), ElementsAre(1, 3, 5, 7));
  EXPECT_THAT(mesh.group(3, StepGroup::expert_shard), ElementsAre(1, 3));
  EXPECT_THAT(mesh.group(3, StepGroup::expert_replicate), ElementsAre(3, 7));
  EXPECT_EQ(mesh.size_of(StepGroup::expert_shard), 2);
  EXPECT_EQ(mesh.size_of(StepGroup::expert_replicate), 2);
  degrees.expert = 8;
  EXPECT_THROW(StepMesh{degrees}, Error);
}

// Every group of a kind is one of a partition of all ranks.
TEST(StepMesh, GroupsOfAKindPartitionTheRanks) {
  const StepMesh mesh(kDegrees);
  for (const StepGroup kind : {StepGroup::tensor, StepGroup::context, StepGroup::data,
                               StepGroup::pipeline, StepGroup::gradients, StepGroup::expert_tensor,
                               StepGroup::expert, StepGroup::expert_gradients, StepGroup::model}) {
    std::set<std::vector<std::int32_t>> groups;
    for (std::int32_t rank = 0; rank < mesh.size(); ++rank) {
      const auto group = mesh.group(rank, kind);
      EXPECT_THAT(group, ::testing::Contains(rank));
      EXPECT_EQ(std::ssize(group), mesh.size_of(kind));
      groups.insert(group);
    }
    EXPECT_EQ(std::ssize(groups) * mesh.size_of(kind), mesh.size()) << StepMesh::name_of(kind);
  }
}

TEST(StepMesh, ExpertsAreAsSplitAsTheRestUnlessTold) {
  EXPECT_EQ(StepMesh(Degrees{.tensor = 4, .data = 4, .expert = 2}).expert().degree("etp"), 4);
  EXPECT_THROW(StepMesh(Degrees{.tensor = 2, .data = 2, .expert = 3}), Error);
}

Model tiny(ModelFamily family) {
  return {.name = "t",
          .family = family,
          .layers = 1,
          .hidden = 8,
          .heads = 4,
          .kv_heads = 4,
          .head_dim = 2,
          .ffn = 16,
          .vocab = 32,
          .max_seq = 8};
}

TEST(ParamLayoutAxes, SayWhatSplitsAParameterAndWhatSumsItsGradient) {
  const GradientSum batch{.axis = "dp", .of_batch = true}, tokens{.axis = "tp", .of_batch = false};
  const Model model = tiny(ModelFamily::llama);
  const auto layout = [&](std::string_view text) {
    return ParamLayout(model, resolve(parse_plan(text), model, 8), 3);
  };
  const auto sums_of = [](const ParamLayout& of, const char* name) {
    const std::int64_t offset = of.find(name).offset;
    for (const ParamSection& section : of.sections()) {
      if (offset >= section.offset && offset < section.offset + section.elements) {
        return section.gradient_sums;
      }
    }
    return std::vector<GradientSum>{};
  };
  const char* const matrix = "layer0.attn.qkv.weight";
  const char* const norm = "layer0.attn_norm.weight";
  const ParamLayout split = layout("tp=4,dp=2,sp=on");
  EXPECT_THAT(split.find(matrix).split_over, ElementsAre("tp"));
  EXPECT_THAT(split.find(norm).split_over, IsEmpty());
  EXPECT_THAT(sums_of(split, matrix), ElementsAre(batch));
  EXPECT_THAT(sums_of(split, norm), ElementsAre(tokens, batch)) << "each saw some of the tokens";
  EXPECT_THAT(sums_of(layout("tp=4,dp=2"), norm), ElementsAre(batch));
  EXPECT_THAT(sums_of(layout("tp=2,dp=2,cp=2"), norm), ElementsAre(GradientSum{.axis = "dp_cp"}));
  EXPECT_EQ(layout("tp=2,dp=2,cp=2,zero=1").state().ways, 4);
  EXPECT_THAT(sums_of(ParamLayout(model, resolve(Plan{}, model, 1), 0), norm), IsEmpty());
  for (const ParamSection& section : split.sections()) {
    EXPECT_EQ(section.copies, section.replicated ? 4 : 1);
  }
}

}  // namespace
}  // namespace stepmark
