// SPDX-License-Identifier: Apache-2.0
// What a record says of who computed a step.
#include "harness/cases/engine_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "case_fixture.h"
#include "core/control.h"
#include "kernels/host/sets.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/context.h"
#include "kernels/ops/gemm.h"
#include "kernels/ops/memory.h"

namespace stepmark {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Op op_of(const OpShape& shape) { return {.label = "op", .kernel = shape}; }

// Two attentions, three GEMMs, and a copy, which nobody asks about.
Program step() {
  const OpShape gemm = pack(GemmShape{.m = 4, .n = 8, .k = 16}, DType::bf16);
  Program program;
  program.ops = {
      op_of(gemm),
      op_of(pack(AttentionFwdShape{.batch = 1, .seq = 2, .heads = 1, .kv_heads = 1, .head_dim = 64},
                 DType::bf16)),
      op_of(pack(CopyShape{.elements = 4}, DType::f32)),
      op_of(gemm),
      op_of(pack(AttentionBwdShape{.batch = 1, .seq = 2, .heads = 1, .kv_heads = 1, .head_dim = 64},
                 DType::bf16)),
      op_of(pack(GemmShape{.m = 5, .n = 7, .k = 3}, DType::bf16))};
  return program;
}

Record record_of(const std::vector<OpEngine>& engines) {
  Record record;
  const auto control = make_solo_control();
  add_engines(record, *control, step(),
              [&](std::int32_t op) { return engines.at(static_cast<std::size_t>(op)); });
  return record;
}

const OpEngine kLt{.name = "cublaslt 13.1.0 algorithm=66 tile=5 epilogue=bias", .refused = {}};
const OpEngine kForward{.name = "cudnn 9.19.0 engine=8", .refused = {}};
const OpEngine kBackward{.name = "cudnn 9.19.0 engine=9", .refused = {}};

// Attention of a sequence that ranks share is attention.
TEST(EngineRecord, NamesWhoAttendsOverChunks) {
  Program program;
  program.ops = {
      op_of(pack(
          AttentionChunksFwdShape{
              .batch = 1, .chunk = 2, .ways = 2, .heads = 1, .kv_heads = 1, .head_dim = 64},
          DType::bf16)),
      op_of(pack(
          AttentionChunksBwdShape{
              .batch = 1, .chunk = 2, .ways = 2, .heads = 1, .kv_heads = 1, .head_dim = 64},
          DType::bf16))};
  Record record;
  const auto control = make_solo_control();
  add_engines(record, *control, program,
              [](std::int32_t) { return OpEngine{.name = "plain", .refused = {}}; });
  EXPECT_EQ(record.text("attention_engine"), "plain");
  EXPECT_THAT(record.text("attention_algorithms"),
              AllOf(HasSubstr("1 x attention_chunks_fwd"), HasSubstr("1 x attention_chunks_bwd")));
}

TEST(EngineRecord, NamesLibraryVersionAndAlgorithms) {
  const Record record = record_of({kLt, kForward, {}, kLt, kBackward, kLt});
  EXPECT_EQ(record.text("attention_engine"), "cudnn 9.19.0");
  EXPECT_EQ(record.text("gemm_engine"), "cublaslt 13.1.0");
  EXPECT_THAT(record.text("attention_algorithms"),
              AllOf(HasSubstr("1 x attention_fwd"), HasSubstr("engine=8"), HasSubstr("engine=9")));
  EXPECT_THAT(record.text("gemm_algorithms"),
              AllOf(HasSubstr("2 x gemm"), HasSubstr("m=4"), HasSubstr("algorithm=66")));
  EXPECT_EQ(record.text("engines_refused"), "");
  EXPECT_TRUE(record.labels.empty());
}

TEST(EngineRecord, RefusedEnginesAreRemarked) {
  const OpEngine own{.name = "own kernel + gelu", .refused = "cuBLASLt has no algorithm"};
  const OpEngine flash{.name = "flash", .refused = "cuDNN 9.15.0 is wrong here"};
  const Record record = record_of({kLt, kForward, {}, kLt, flash, own});
  EXPECT_EQ(record.text("attention_engine"), "cudnn 9.19.0 (1 of 2), flash (1 of 2)");
  EXPECT_EQ(record.text("gemm_engine"), "cublaslt 13.1.0 (2 of 3), own kernel (1 of 3)");
  EXPECT_THAT(record.text("engines_refused"),
              AllOf(HasSubstr("1 x attention_bwd: cuDNN 9.15.0 is wrong here"),
                    HasSubstr("1 x gemm: cuBLASLt has no algorithm")));
  EXPECT_TRUE(test::has_label(record, "expected engine refused: 1 x attention_bwd"));
}

TEST(EngineRecord, OwnKernelsThatWereAskedForAreNoRemark) {
  const OpEngine flash{.name = "flash", .refused = {}};
  const Record record = record_of({kLt, flash, {}, kLt, flash, kLt});
  EXPECT_EQ(record.text("attention_engine"), "flash");
  EXPECT_TRUE(record.labels.empty());
}

TEST(EngineRecord, TheHostNamesItsLibrary) {
  const test::CaseBench bench;
  const OpEngine gemm = bench.executor->engine_of(*step().ops[0].kernel);
  EXPECT_THAT(gemm.name, ::testing::MatchesRegex("openblas [0-9.]+ .+"));
  EXPECT_THAT(bench.executor->engine_of(*step().ops[1].kernel).name,
              ::testing::StartsWith("own " + std::string(host_set().name) + " with openblas "));
  EXPECT_EQ(bench.executor->engine_of(*step().ops[2].kernel).name,
            "own " + std::string(host_set().name));
}

}  // namespace
}  // namespace stepmark
