// SPDX-License-Identifier: Apache-2.0
// Parameter counts and FLOPs against published figures and hand calculation.
#include "harness/spec/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "harness/spec/workload.h"

namespace stepmark {
namespace {

struct Published {
  const char* workload;
  std::int64_t parameters;
};

class ParameterCount : public ::testing::TestWithParam<Published> {};

// GPT-2: as counted in the released checkpoints; Llama 3, Mixtral and Qwen3: as counted in the
// released checkpoints (Hugging Face model cards and config.json).
TEST_P(ParameterCount, IsThePublishedOne) {
  const Workload workload =
      read_workload(fmt::format("{}/workloads/{}.yaml", STEPMARK_CONFIGS, GetParam().workload));
  EXPECT_EQ(workload.model.parameters(), GetParam().parameters);
}

INSTANTIATE_TEST_SUITE_P(Workloads, ParameterCount,
                         ::testing::Values(Published{"gpt2-124m", 124'439'808},
                                           Published{"gpt2-1.5b", 1'557'611'200},
                                           Published{"llama3-8b", 8'030'261'248},
                                           Published{"llama3.2-1b", 1'235'814'400},
                                           Published{"llama3-70b", 70'553'706'496},
                                           Published{"llama3-405b", 405'853'388'800},
                                           Published{"mixtral-8x7b", 46'702'792'704},
                                           Published{"qwen3-30b-a3b", 30'532'122'624}),
                         [](const auto& param_info) {
                           std::string name = param_info.param.workload;
                           for (char& c : name) c = c == '-' || c == '.' ? '_' : c;
                           return name;
                         });

Model read(const std::string& yaml) {
  YamlMap map = YamlDocument::read_text(yaml, "m.yaml").map();
  return read_model(map, "m");
}

std::string error_of(const std::string& yaml) {
  try {
    (void)read(yaml);
  } catch (const ConfigError& error) {
    return error.message();
  }
  return "no error";
}

TEST(Model, FlopsPerTokenFollowPalm) {
  const Model model =
      read("{family: gpt2, layers: 3, hidden: 8, heads: 2, ffn: 32, vocab: 11, max_seq: 16}");
  // Per layer 8*24 + 8*8 + 8*32 + 32*8 = 768, head 11*8 = 88; attention 12 L H Q T.
  EXPECT_EQ(model.matmul_parameters(), 3 * 768 + 88);
  EXPECT_DOUBLE_EQ(model.model_flops_per_token(16), 6.0 * (3 * 768 + 88) + 12.0 * 3 * 2 * 4 * 16);
  EXPECT_DOUBLE_EQ(model.causal_model_flops_per_token(16),
                   6.0 * (3 * 768 + 88) + 6.0 * 3 * 2 * 4 * 16);
}

TEST(Model, CountsBiasesNormsAndPositionsOfGpt2ByHand) {
  const Model model =
      read("{family: gpt2, layers: 1, hidden: 4, heads: 2, ffn: 8, vocab: 5, max_seq: 6}");
  const std::int64_t attention = 4 * 12 + 12 + 4 * 4 + 4;
  const std::int64_t mlp = 4 * 8 + 8 + 8 * 4 + 4;
  const std::int64_t norms = 2 * 8 + 8;
  const std::int64_t tables = 5 * 4 + 6 * 4;
  EXPECT_EQ(model.parameters(), attention + mlp + norms + tables);
}

TEST(Model, CountsGroupedHeadsAndGateOfLlamaByHand) {
  const Model model = read(
      "{family: llama, layers: 1, hidden: 4, heads: 4, kv_heads: 2, head_dim: 2, ffn: 6, "
      "vocab: 5, max_seq: 6}");
  const std::int64_t attention = 4 * (4 + 2 + 2) * 2 + 8 * 4;
  const std::int64_t mlp = 4 * 12 + 6 * 4;
  const std::int64_t norms = 2 * 4 + 4;
  const std::int64_t tables = std::int64_t{2} * 5 * 4;
  EXPECT_EQ(model.parameters(), attention + mlp + norms + tables);
  EXPECT_FALSE(model.tied_embeddings);
}

TEST(Model, DefaultsFollowTheFamily) {
  const Model gpt2 =
      read("{family: gpt2, layers: 1, hidden: 8, heads: 2, ffn: 8, vocab: 5, max_seq: 6}");
  EXPECT_TRUE(gpt2.tied_embeddings);
  EXPECT_EQ(gpt2.kv_heads, 2);
  EXPECT_EQ(gpt2.head_dim, 4);
}

TEST(Model, ErrorsNameTheKeyAndItsPlace) {
  using ::testing::AllOf;
  using ::testing::HasSubstr;
  using ::testing::StartsWith;
  const std::string rest = "ffn: 8\nvocab: 5\nmax_seq: 6\n";
  EXPECT_THAT(error_of("family: gpt3\nlayers: 1\nhidden: 8\nheads: 2\n" + rest),
              AllOf(StartsWith("m.yaml:1:9:"), HasSubstr("gpt2")));
  EXPECT_THAT(error_of("family: gpt2\nlayers: 0\nhidden: 8\nheads: 2\n" + rest),
              StartsWith("m.yaml:2:9:"));
  EXPECT_THAT(error_of("family: gpt2\nlayers: 1\nhidden: 8\nheads: 3\n" + rest),
              AllOf(StartsWith("m.yaml:4:"), HasSubstr("heads must divide hidden")));
  EXPECT_THAT(error_of("family: gpt2\nlayers: 1\nhidden: 8\nheads: 4\nkv_heads: 3\n" + rest),
              AllOf(StartsWith("m.yaml:5:"), HasSubstr("kv_heads must divide heads")));
  EXPECT_THAT(error_of("family: llama\nlayers: 1\nhidden: 8\nheads: 2\nhead_dim: 3\n" + rest),
              AllOf(StartsWith("m.yaml:5:"), HasSubstr("even head_dim")));
  EXPECT_THAT(error_of("family: gpt2\nlayers: 1\nhiden: 8\nheads: 2\n" + rest),
              HasSubstr("hidden"));
}

TEST(Model, RefusesSizesThatCannotBeCounted) {
  EXPECT_THAT(error_of("{family: llama, layers: 60000, hidden: 1000000, heads: 1000000, "
                       "head_dim: 1000000, ffn: 8, vocab: 5, max_seq: 6}"),
              ::testing::HasSubstr("too large"));
}

}  // namespace
}  // namespace stepmark
