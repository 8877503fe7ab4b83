// SPDX-License-Identifier: Apache-2.0
// Fewer key/value heads than tensor-parallel ranks: each head is on all ranks whose queries use it,
// its gradient is summed over them, and the gradient norm counts it once.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "harness/program/text.h"
#include "harness/program/validate.h"
#include "harness/spec/step_groups.h"
#include "tests/unit/program/models.h"
#include "tests/unit/program/ordering.h"

namespace stepmark {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

Model with_kv_heads(Model model, std::int64_t kv_heads) {
  model.kv_heads = kv_heads;
  return model;
}

std::vector<Model> models(std::int64_t kv_heads) {
  return {with_kv_heads(small_gpt2(), kv_heads), with_kv_heads(small_llama(), kv_heads)};
}

Plan plan_of(const Model& model, std::string_view text) {
  const Plan plan = parse_plan(text, parse_plan("micro_batch=2,dp=1"));
  return resolve(plan, model, plan.ranks());
}

// Head i of G on ranks [i t / G, (i + 1) t / G), which are those that have the queries of its
// group.
TEST(KeyValueHeads, AreThoseOfTheRanksQueries) {
  for (const std::int64_t kv_heads : {1, 2, 4}) {
    for (const Model& model : models(kv_heads)) {
      const Plan plan = plan_of(model, "tp=8");
      const std::int64_t queries = model.heads / 8, group = model.heads / kv_heads;
      for (std::int32_t rank = 0; rank < 8; ++rank) {
        const Shards shards = shards_of(model, plan, rank);
        EXPECT_EQ(shards.kv_heads, 1);
        EXPECT_EQ(shards.kv_copies, 8 / kv_heads);
        const ParamLayout layout(model, plan, rank);
        const Param& qkv = layout.find("layer1.attn.qkv.weight");
        ASSERT_EQ(qkv.rows.size(), 3U);
        EXPECT_EQ(qkv.rows[0].begin, rank * queries * model.head_dim);
        EXPECT_EQ(qkv.rows[0].copies, 1);
        const std::int64_t head = rank * queries / group;
        for (const std::size_t part : {1, 2}) {
          const std::int64_t begin =
              model.q_width() + (static_cast<std::int64_t>(part) - 1) * kv_heads * model.head_dim;
          EXPECT_EQ(qkv.rows[part].begin, begin + head * model.head_dim);
          EXPECT_EQ(qkv.rows[part].count, model.head_dim);
          EXPECT_EQ(qkv.rows[part].copies, 8 / kv_heads);
        }
        EXPECT_EQ(qkv.global_rows, model.qkv_width());
        EXPECT_EQ(qkv.shared_elements(), 2 * model.head_dim * model.hidden);
        EXPECT_EQ(layout.find("layer1.mlp.up.weight").shared_elements(), 0);
      }
    }
  }
  // As many heads as ranks, or more: each on one.
  EXPECT_EQ(shards_of(small_llama(), plan_of(small_llama(), "tp=8"), 3).kv_copies, 1);
}

TEST(KeyValueHeads, GroupsAreNeighboursOfTheTensorAxis) {
  const Model model = with_kv_heads(small_llama(), 2);
  const StepGroups groups(model, plan_of(model, "tp=4,dp=2"));
  EXPECT_THAT(
      groups.all(StepGroups::kKeyValues),
      ElementsAre(ElementsAre(0, 1), ElementsAre(2, 3), ElementsAre(4, 5), ElementsAre(6, 7)));
  const StepGroups none(model, plan_of(model, "tp=2,dp=2"));
  EXPECT_THAT(none.names(), Each(::testing::Ne(StepGroups::kKeyValues)));
}

const std::vector<std::string> kPlans{"tp=4",
                                      "tp=4,sp=on,accumulation=3,clip=0,optimizer_overlap=on",
                                      "tp=8,dp=2,zero=1,bucket_mib=0.003",
                                      "tp=4,dp=2,sp=on,zero=2,accumulation=2,reduce=bf16",
                                      "tp=4,dp=2,zero=3,precision=bf16",
                                      "tp=4,pp=2,accumulation=4,schedule=zb-h1,recompute=full"};

TEST(KeyValueHeads, ProgramsAreValidAndFreeOfRacesAndReadBack) {
  for (const Model& model : models(2)) {
    for (const std::string& text : kPlans) {
      SCOPED_TRACE(model.name + " " + text);
      const std::vector<Program> programs = all_ranks(model, plan_of(model, text));
      ASSERT_THAT(problems(programs), IsEmpty());
      EXPECT_THAT(races(programs.front()), IsEmpty());
      EXPECT_EQ(parse_program(to_text(programs.back())), programs.back());
    }
  }
}

// Over all ranks of a copy of the model, and over shards of it, each parameter once.
TEST(KeyValueHeads, TheNormCountsEachParameterOnce) {
  for (const Model& model : models(2)) {
    for (const std::string& text : kPlans) {
      const Plan plan = plan_of(model, text);
      if (!plan.computes_norm()) continue;
      SCOPED_TRACE(model.name + " " + text);
      double counted = 0, filled = 0;
      const double copies = plan.zero > 0 ? 1 : static_cast<double>(plan.dp);
      for (std::int32_t rank = 0; rank < plan.ranks(); ++rank) {
        for (const Op& op : step_program(model, plan, rank).ops) {
          if (!op.kernel || op.kernel->id != OpId::sum_squares) continue;
          counted += static_cast<double>(op.operands[0].elements) * op.kernel->scalars[0] / copies;
        }
        // What fills up places in the flat buffers, counted as its section is.
        const ParamLayout layout(model, plan, rank);
        for (const ParamSection& section : layout.sections()) {
          std::int64_t fill = section.elements;
          for (const Param& param : layout.params()) {
            const bool inside =
                param.offset >= section.offset && param.offset < section.offset + section.elements;
            if (inside) fill -= param.elements();
          }
          filled += static_cast<double>(fill) / section.copies / static_cast<double>(plan.dp);
        }
      }
      EXPECT_NEAR(counted - filled, static_cast<double>(model.parameters()), 1e-6);
    }
  }
}

// Weights (and biases) of keys and values of a layer, once per step, or per micro-batch where
// gradients are sharded.
TEST(KeyValueHeads, GradientsAreSummedOnceOverTheRanksThatShareThem) {
  for (const Model& model : models(2)) {
    for (const std::string& text : kPlans) {
      SCOPED_TRACE(model.name + " " + text);
      const Plan plan = plan_of(model, text);
      const Program program = step_program(model, plan, 1);
      const std::int64_t times =
          model.layers / plan.pp * (plan.shards_gradients() ? plan.accumulation : 1);
      const std::int64_t kv = 2 * model.head_dim;
      std::map<std::int64_t, std::int64_t> expected{{kv * model.hidden, times}}, calls;
      if (model.has_bias()) expected[kv] = times;
      for (const Op& op : program.ops) {
        if (op.comm && op.comm->axis == StepGroups::kKeyValues) ++calls[op.comm->count];
      }
      EXPECT_EQ(calls, expected);
      const auto c = static_cast<double>(plan.tp) / static_cast<double>(model.kv_heads);
      const double elements =
          static_cast<double>(times * kv * (model.hidden + (model.has_bias() ? 1 : 0)));
      EXPECT_DOUBLE_EQ(bus_bytes(program, program.group(StepGroups::kKeyValues)),
                       2 * 4 * elements * (c - 1) / c);
    }
  }
}

}  // namespace
}  // namespace stepmark
