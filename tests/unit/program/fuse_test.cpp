// SPDX-License-Identifier: Apache-2.0
// Each pair that is fused, and everything that must keep a pair apart.
#include "harness/program/fuse.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "harness/program/text.h"
#include "harness/program/validate.h"
#include "tests/unit/program/models.h"
#include "tests/unit/program/ordering.h"
#include "tests/unit/program/replaced.h"

namespace stepmark {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A program of one or two streams on buffers of every size that the ops below need.
Program parsed(const std::string& ops) {
  return parse_program(
      "program rank=0 world=2 small\nstream compute\nstream side\ngroup side index=0 ranks=0,1\n"
      "buffer x activation fp32 6\nbuffer w param fp32 12\nbuffer bias param fp32 4\n"
      "buffer pre activation fp32 8\nbuffer active activation fp32 8\n"
      "buffer d workspace fp32 8\nbuffer dpre workspace fp32 8\nbuffer dy workspace fp32 6\n"
      "buffer gw grad fp32 12\nbuffer gb grad fp32 4\nbuffer rstd activation fp32 2\n" +
      ops);
}

// Lines of the ops after joining.
std::vector<std::string> fused(const std::string& ops) {
  const std::string text = to_text(fuse(parsed(ops)));
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    if (text.substr(begin, 3) == "op ") lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}
void expect_unchanged(const std::string& ops) {
  const Program program = parsed(ops);
  EXPECT_EQ(to_text(fuse(program)), to_text(program));
}

// pre (2, 4) = x (2, 3) w^T + bias; active = gelu(pre).
constexpr const char* kUp =
    "op 0 compute forward l0.up {gemm dtype=fp32 m=2 n=4 k=3 trans_a=0 trans_b=1 bias=1 "
    "accumulate=0 out_f32=0} (x w bias pre)\n";
constexpr const char* kGelu =
    "op 1 compute forward l0.gelu {gelu_fwd dtype=fp32 elements=8} (pre active)\n";
// d (2, 4) = dy (2, 3) w (3, 4); dpre = d gelu'(pre).
constexpr const char* kDgrad =
    "op 0 compute backward l0.down.dgrad {gemm dtype=fp32 m=2 n=4 k=3 trans_a=0 trans_b=0 bias=0 "
    "accumulate=0 out_f32=0} (dy w - d)\n";
constexpr const char* kGeluBwd =
    "op 1 compute backward l0.gelu.bwd {gelu_bwd dtype=fp32 elements=8} (d pre dpre)\n";
// gw (4, 3) = dpre^T x, gb = column sums of dpre.
constexpr const char* kWgrad =
    "op 0 compute backward l0.up.wgrad {gemm dtype=fp32 m=4 n=3 k=2 trans_a=1 trans_b=0 bias=0 "
    "accumulate=1 out_f32=1} (dpre x - gw)\n";
constexpr const char* kBgrad =
    "op 1 compute backward l0.up.bgrad {bias_grad dtype=fp32 m=2 n=4 accumulate=1} (dpre gb)\n";
constexpr const char* kResidual =
    "op 0 compute forward l0.out.residual {residual dtype=fp32 rows=2 cols=4 bias=1} (d dpre bias "
    "pre)\n";
constexpr const char* kRms =
    "op 1 compute forward l1.norm {rmsnorm_fwd dtype=fp32 rows=2 cols=4 eps=1e-05} (pre gb active "
    "rstd)\n";

std::string both(const char* first, const char* second) { return std::string(first) + second; }
std::string with(const std::string& text, std::string_view from, std::string_view to) {
  return replace_first(text, from, to);
}

TEST(Fuse, GemmAndGelu) {
  EXPECT_THAT(fused(both(kUp, kGelu)),
              ElementsAre("op 0 compute forward l0.up+gelu {gemm_gelu dtype=fp32 m=2 n=4 k=3 "
                          "trans_a=0 trans_b=1 bias=1} (x w bias pre active)"));
}

TEST(Fuse, GemmAndGeluBackwardWhenNothingElseReadsTheProduct) {
  const std::string pair = both(kDgrad, kGeluBwd);
  EXPECT_THAT(fused(pair),
              ElementsAre("op 0 compute backward l0.down.dgrad+gelu.bwd {gemm_dgelu dtype=fp32 "
                          "m=2 n=4 k=3 trans_a=0 trans_b=0} (dy w pre dpre)"));
  EXPECT_EQ(fuse(parsed(pair)).buffer_index("d"), -1) << "workspace of the GEMM";
  EXPECT_NE(fuse(parsed(pair)).buffer_index("gw"), -1) << "never used, and not workspace of it";
  // Written again before it is read: still nothing reads this GEMM.
  EXPECT_EQ(fused(pair + "op 2 compute backward z {zero dtype=fp32 elements=8} (d)\n"
                         "op 3 compute backward c {copy dtype=fp32 elements=8} (d active)\n")
                .size(),
            3U);
}

TEST(Fuse, KeepsAProductThatIsReadElsewhere) {
  const std::string pair = both(kDgrad, kGeluBwd);
  expect_unchanged(pair + "op 2 compute backward c {copy dtype=fp32 elements=2} (d[6+2] x[0+2])\n");
  // Half of it is written over, the other half is read.
  expect_unchanged(pair +
                   "op 2 compute backward z {zero dtype=fp32 elements=4} (d[0+4])\n"
                   "op 3 compute backward c {copy dtype=fp32 elements=4} (d[4+4] x[0+4])\n");
  // The next run's beginning reads what this one left.
  expect_unchanged("op 0 compute backward c {copy dtype=fp32 elements=8} (d active)\n" +
                   with(with(pair, "op 1 ", "op 2 "), "op 0 ", "op 1 "));
  // Accumulation reads.
  expect_unchanged(pair +
                   "op 2 compute backward p {position_fwd dtype=fp32 rows=2 cols=4 seq=1 "
                   "row_begin=0} (bias d)\n");
  // Another stream sends it.
  expect_unchanged(pair +
                   "op 2 side backward s {all_reduce axis=side dtype=fp32 op=sum count=8} (d "
                   "active) after 1\n");
}

TEST(Fuse, KeepsAProductThatIsNotWorkspace) {
  expect_unchanged(
      with(with(both(kDgrad, kGeluBwd), "- d)", "- active)"), "(d pre", "(active pre"));
}

TEST(Fuse, WeightAndBiasGradientInEitherOrder) {
  constexpr const char* kJoined =
      "{gemm_bias_grad dtype=fp32 m=4 n=3 k=2 accumulate=1} (dpre x gw gb)";
  EXPECT_THAT(fused(both(kWgrad, kBgrad)),
              ElementsAre(fmt::format("op 0 compute backward l0.up.wgrad+bgrad {}", kJoined)));
  const std::string swapped = with(kBgrad, "op 1", "op 0") + with(kWgrad, "op 0", "op 1");
  EXPECT_THAT(fused(swapped),
              ElementsAre(fmt::format("op 0 compute backward l0.up.bgrad+wgrad {}", kJoined)));
}

TEST(Fuse, ResidualAndNorm) {
  EXPECT_THAT(fused(both(kResidual, kRms)),
              ElementsAre("op 0 compute forward l0.out.residual+l1.norm {residual_rmsnorm_fwd "
                          "dtype=fp32 rows=2 cols=4 bias=1 eps=1e-05} (d dpre bias gb pre active "
                          "rstd)"));
  const std::string layer = both(
      kResidual,
      "op 1 compute forward l1.norm {layernorm_fwd dtype=fp32 rows=2 cols=4 eps=0.001} (pre gb "
      "bias active x[0+2] rstd)\n");
  EXPECT_THAT(fused(layer),
              ElementsAre("op 0 compute forward l0.out.residual+l1.norm {residual_layernorm_fwd "
                          "dtype=fp32 rows=2 cols=4 bias=1 eps=0.001} (d dpre bias gb bias pre "
                          "active x[0+2] rstd)"));
  // In place of its first operand the sum may still be written.
  EXPECT_EQ(fused(with(both(kResidual, kRms), "(d dpre", "(pre dpre")).size(), 1U);
}

TEST(Fuse, NotWhatTheJoinedOpCannotSay) {
  const std::string up = both(kUp, kGelu), wgrad = both(kWgrad, kBgrad);
  const std::string dgrad = both(kDgrad, kGeluBwd), norm = both(kResidual, kRms);
  expect_unchanged(with(up, "accumulate=0", "accumulate=1"));
  expect_unchanged(with(up, "out_f32=0", "out_f32=1"));
  expect_unchanged(with(dgrad, "accumulate=0", "accumulate=1"));
  expect_unchanged(with(with(dgrad, "bias=0", "bias=1"), "w - d", "w bias d"));
  expect_unchanged(with(wgrad, "n=4 accumulate=1", "n=4 accumulate=0"));
  expect_unchanged(with(wgrad, "out_f32=1", "out_f32=0"));
  expect_unchanged(with(wgrad, "(dpre gb)", "(d gb)"));
  // Rows read as other rows, or not all of them.
  expect_unchanged(with(norm, "rmsnorm_fwd dtype=fp32 rows=2 cols=4",
                        "rmsnorm_fwd dtype=fp32 "
                        "rows=1 cols=8"));
  expect_unchanged(
      with(with(up, "elements=8", "elements=4"), "(pre active)", "(pre[0+4] active[0+4])"));
  expect_unchanged(with(up, "(pre active)", "(d active)"));
  expect_unchanged(with(up, "forward l0.gelu", "backward l0.gelu"));
}

TEST(Fuse, NotWhenTheSecondWritesWhatTheFirstReads) {
  // One after the other this is right; at once it is not.
  expect_unchanged(with(both(kResidual, kRms), "gb active", "gb dpre"));
  expect_unchanged(with(both(kResidual, kRms), "gb active", "gb d"));
  expect_unchanged(with(both(kWgrad, kBgrad), "(dpre gb)", "(dpre gw[0+4])"));
}

TEST(Fuse, OnlyDirectFollowersOnOneStream) {
  const std::string between = std::string(kUp) +
                              "op 1 compute forward z {zero dtype=fp32 elements=8} (d)\n" +
                              with(kGelu, "op 1", "op 2");
  expect_unchanged(between);
  expect_unchanged(
      with(with(both(kUp, kGelu), "op 1 compute", "op 1 side"), "active)", "active) after 0"));
  // An op of another stream between them does not matter.
  const std::string beside = std::string(kUp) +
                             "op 1 side forward z {zero dtype=fp32 elements=8} (d)\n" +
                             with(kGelu, "op 1", "op 2");
  EXPECT_EQ(fused(beside).size(), 2U);
}

TEST(Fuse, NotWhenOtherStreamsComeBetween) {
  const std::string side = "op 1 side forward z {zero dtype=fp32 elements=8} (d)\n";
  // The second waits for something later than the first.
  expect_unchanged(kUp + side + with(with(kGelu, "op 1", "op 2"), "active)", "active) after 1"));
  // Something between waits for the first.
  expect_unchanged(kUp + with(side, "(d)", "(d) after 0") + with(kGelu, "op 1", "op 2"));
}

TEST(Fuse, WaitsForWhatEitherWaitedForAndIsWaitedForAsBoth) {
  const auto lines = fused(
      "op 0 side forward a {zero dtype=fp32 elements=6} (x)\n"
      "op 1 side forward b {zero dtype=fp32 elements=8} (active)\n" +
      with(with(kUp, "op 0", "op 2"), "pre)", "pre) after 0") +
      with(with(kGelu, "op 1", "op 3"), "active)", "active) after 1") +
      "op 4 side forward c {copy dtype=fp32 elements=8} (active d) after 3\n"
      "op 5 compute forward e {copy dtype=fp32 elements=8} (d dpre) after 4\n");
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_THAT(lines[2], ::testing::EndsWith("(x w bias pre active) after 1"));
  EXPECT_THAT(lines[3], ::testing::EndsWith("(active d) after 2"));
  EXPECT_THAT(lines[4], ::testing::EndsWith("(d dpre) after 3"));
}

TEST(Fuse, StepsOfBothFamilies) {
  std::map<std::string, std::map<std::string_view, int>> counts;
  for (const Model& model : {small_gpt2(), small_llama()}) {
    for (const char* text : {"tp=1", "tp=2,dp=2,accumulation=2", "tp=2,sp=on"}) {
      Plan plan = parse_plan(text);
      plan.micro_batch = 2;
      plan = resolve(plan, model, plan.tp * std::max(plan.dp, std::int64_t{1}));
      std::vector<Program> programs;
      for (std::int32_t rank = 0; rank < plan.tp * plan.dp; ++rank) {
        programs.push_back(fuse(unfused_step_program(model, plan, rank)));
      }
      EXPECT_THAT(problems(programs), IsEmpty()) << model.name << " " << text;
      EXPECT_THAT(races(programs[0]), IsEmpty()) << model.name << " " << text;
      EXPECT_EQ(fuse(programs[0]), programs[0]) << "nothing is left to join";
      EXPECT_EQ(programs[0], step_program(model, plan, 0));
      for (const Op& op : programs[0].ops) {
        if (op.kernel) ++counts[model.name + " " + text][info_of(op.kernel->id).name];
      }
    }
  }
  const auto& one = counts["small-gpt2 tp=1"];
  EXPECT_EQ(one.at("gemm_gelu"), 2);
  EXPECT_EQ(one.at("gemm_dgelu"), 2);
  EXPECT_EQ(one.at("residual_layernorm_fwd"), 4);
  EXPECT_EQ(one.at("gemm_bias_grad"), 8) << "qkv, out, up and down of two layers";
  EXPECT_EQ(one.count("bias_grad") + one.count("gelu_fwd") + one.count("residual"), 0U);
  // With sequence parallelism the bias gradients of out and down are of other rows.
  const auto& sequence = counts["small-gpt2 tp=2,sp=on"];
  EXPECT_EQ(sequence.at("gemm_bias_grad"), 4);
  EXPECT_EQ(sequence.at("bias_grad"), 4);
  EXPECT_EQ(sequence.at("gemm_dgelu"), 2);
  EXPECT_EQ(counts["small-gpt2 tp=2,dp=2,accumulation=2"].at("gemm_gelu"), 4);
  const auto& llama = counts["small-llama tp=1"];
  EXPECT_EQ(llama.at("residual_rmsnorm_fwd"), 4);
  EXPECT_EQ(llama.count("residual") + llama.count("gemm_gelu"), 0U);
}

}  // namespace
}  // namespace stepmark
