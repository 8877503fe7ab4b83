// SPDX-License-Identifier: Apache-2.0
// The stages of a pipeline: who has which layers, which parameters, and whom it talks to.
#include "harness/spec/stages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "core/error.h"
#include "harness/spec/param_layout.h"
#include "harness/spec/step_groups.h"

namespace stepmark {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Model model_of(std::int64_t layers, bool tied) {
  return {.name = "m",
          .family = tied ? ModelFamily::gpt2 : ModelFamily::llama,
          .layers = layers,
          .hidden = 8,
          .heads = 4,
          .kv_heads = 4,
          .head_dim = 2,
          .ffn = 16,
          .vocab = 33,
          .max_seq = 8,
          .tied_embeddings = tied};
}

Plan plan_of(std::string_view text, const Model& model, std::int64_t ranks) {
  return resolve(parse_plan(text), model, ranks);
}

TEST(Stages, ShareOutLayersAndTheFirstTakeOneMore) {
  const Model model = model_of(7, false);
  const Plan plan = plan_of("pp=3,accumulation=3", model, 3);
  std::vector<std::int64_t> begins;
  for (std::int32_t place = 0; place < 3; ++place) {
    const auto parts = model_stages(model, plan, place);
    ASSERT_EQ(parts.size(), 1U);
    begins.push_back(parts.front().begin);
    EXPECT_EQ(parts.front().first, place == 0);
    EXPECT_EQ(parts.front().last, place == 2);
  }
  EXPECT_THAT(begins, ElementsAre(0, 3, 5));
}

TEST(Stages, ChunksGoAroundTheRanks) {
  const Model model = model_of(8, false);
  const Plan plan = plan_of("pp=2,schedule=interleaved,chunks=2,accumulation=2", model, 2);
  EXPECT_THAT(
      model_stages(model, plan, 0),
      ElementsAre(ModelStage{.index = 0, .begin = 0, .end = 2, .first = true, .last = false},
                  ModelStage{.index = 2, .begin = 4, .end = 6, .first = false, .last = false}));
  EXPECT_THAT(model_stages(model, plan, 1).back(),
              (ModelStage{.index = 3, .begin = 6, .end = 8, .first = false, .last = true}));
}

// Each parameter is on one stage, a tied table on the first and the last.
TEST(Stages, HaveTheParametersOfTheirLayers) {
  for (const bool tied : {false, true}) {
    for (const char* text : {"pp=2,accumulation=2", "pp=4,accumulation=4",
                             "pp=2,schedule=interleaved,chunks=3,accumulation=2"}) {
      const Model model = model_of(7, tied);
      const Plan plan = plan_of(text, model, parse_plan(text).pp);
      std::map<std::string, int> stages_with;
      std::int64_t parameters = 0;
      for (std::int32_t rank = 0; rank < plan.pp; ++rank) {
        const ParamLayout layout(model, plan, rank);
        for (const Param& param : layout.params()) {
          ++stages_with[param.name];
          parameters += param.elements() / (param.tied ? 2 : 1);
          EXPECT_EQ(param.tied, tied && param.name == "embedding.weight") << param.name;
        }
        for (const ParamSection& section : layout.sections()) {
          EXPECT_EQ(section.copies, section.tied ? 2 : 1);
          const auto& sums = section.gradient_sums;
          ASSERT_EQ(sums.size(), section.tied ? 1U : 0U);
          if (!section.tied) continue;
          EXPECT_EQ(sums.front(), (GradientSum{.axis = "embedding", .of_batch = false}));
        }
      }
      EXPECT_EQ(parameters, model.parameters()) << text;
      const ParamLayout whole(model, plan.on_one_rank(), 0);
      EXPECT_EQ(stages_with.size(), whole.params().size());
      for (const auto& [name, count] : stages_with) {
        EXPECT_EQ(count, tied && name == "embedding.weight" ? 2 : 1) << name;
      }
    }
  }
}

// What is complete but for the batch is summed over the batch last.
TEST(Stages, TiedTablesAreSummedBeforeTheBatch) {
  const Model model = model_of(4, true);
  const ParamLayout layout(model, plan_of("pp=2,dp=2,tp=2,accumulation=2", model, 8), 0);
  EXPECT_THAT(layout.sections().back().gradient_sums,
              ElementsAre(GradientSum{.axis = "embedding", .of_batch = false},
                          GradientSum{.axis = "dp", .of_batch = true}));
}

TEST(Groups, AreThoseOfTheLinksInEachDirection) {
  const Model tied = model_of(8, true);
  const StepGroups chain(tied, plan_of("pp=3,tp=2,accumulation=3", tied, 6));
  EXPECT_THAT(chain.names(),
              ElementsAre("tp", "pp.forward.even", "pp.forward.odd", "pp.backward.even",
                          "pp.backward.odd", "embedding", "pp_tp"));
  EXPECT_THAT(chain.group("pp.forward.odd", 3), ElementsAre(1, 3, 5));
  EXPECT_THAT(chain.group("embedding", 0), ElementsAre(0, 4));
  EXPECT_THAT(chain.group("embedding", 2), ElementsAre(2)) << "the middle stage is alone";
  EXPECT_THAT(chain.all("embedding"),
              ElementsAre(ElementsAre(0, 4), ElementsAre(1, 5), ElementsAre(2), ElementsAre(3)));
  const Model untied = model_of(8, false);
  const StepGroups two(untied, plan_of("pp=2,accumulation=2,clip=0", untied, 2));
  EXPECT_THAT(two.names(), ElementsAre("pp.forward.even", "pp.backward.even"));
  const StepGroups ring(
      untied, plan_of("pp=3,schedule=interleaved,chunks=2,accumulation=3,clip=0", untied, 3));
  EXPECT_THAT(ring.names(), ElementsAre("pp.forward.even", "pp.forward.odd", "pp.forward.last",
                                        "pp.backward.even", "pp.backward.odd", "pp.backward.last"));
}

std::string why(std::string_view text, const Model& model, std::int64_t ranks) {
  return why_illegal(filled(parse_plan(text), ranks), model, ranks).value_or("legal");
}

TEST(PipelinePlans, SayWhyTheyAreIllegal) {
  const Model model = model_of(4, false);
  EXPECT_EQ(why("pp=4,accumulation=4,seq=8", model, 4), "legal");
  EXPECT_EQ(why("pp=4,accumulation=1,seq=8", model, 4), "legal") << "fewer than stages";
  EXPECT_THAT(why("pp=3,dp=1", model, 4), HasSubstr("dp=1 x tp=1 x pp=3 needs 3 ranks"));
  EXPECT_THAT(why("pp=8", model, 8),
              HasSubstr("pp=8 x chunks=1 needs a layer for each of 8 stages"));
  EXPECT_THAT(why("pp=2,schedule=interleaved,chunks=4,accumulation=2", model, 2),
              HasSubstr("pp=2 x chunks=4 needs a layer for each of 8 stages, m has 4"));
  EXPECT_THAT(why("pp=2,layers=1", model, 2), HasSubstr("needs a layer for each of 2 stages"));
  EXPECT_THAT(why("schedule=gpipe", model, 1), HasSubstr("needs pp of at least 2"));
  EXPECT_THAT(why("chunks=2", model, 1), HasSubstr("chunks=2 is for the stages of a pipeline"));
  EXPECT_THAT(why("pp=2,chunks=2,accumulation=2", model, 2),
              HasSubstr("schedule=1f1b: 2 chunks per stage; it takes one"));
  EXPECT_THAT(why("pp=2,schedule=interleaved,chunks=2,accumulation=3", model, 2),
              HasSubstr("3 micro-batches are no multiple of the 2 stages (accumulation=3"));
  EXPECT_THAT(why("pp=2,schedule=interleaved,accumulation=2", model, 2),
              HasSubstr("schedule=interleaved: one chunk per stage"));
}

}  // namespace
}  // namespace stepmark
