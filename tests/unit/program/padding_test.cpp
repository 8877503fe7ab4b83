// SPDX-License-Identifier: Apache-2.0
// Padded programs have no misaligned GEMM, cost what is said of them, and are the model's own
// but for that.
#include "harness/program/padding.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/program/memory_plan.h"
#include "harness/program/validate.h"
#include "kernels/ops/cross_entropy.h"
#include "tests/unit/program/models.h"

namespace stepmark {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr DeviceTraits kEight{.dimension_multiple = 8, .row_bytes = 16};

// Everything but vocabulary and MLP width is a multiple of 64 on up to four ranks.
Model even_model(ModelFamily family, std::int64_t vocab, std::int64_t ffn) {
  const bool llama = family == ModelFamily::llama;
  return {.name = llama ? "llama" : "gpt2",
          .family = family,
          .layers = 2,
          .hidden = 256,
          .heads = 4,
          .kv_heads = 4,
          .head_dim = 64,
          .ffn = ffn,
          .vocab = vocab,
          .max_seq = 16,
          .tied_embeddings = !llama};
}

// Row lengths of all matrices that a GEMM reads or writes, as stored.
std::vector<std::int64_t> row_lengths(const OpShape& shape) {
  const auto dim = [&](const char* name) { return dim_of(shape, name); };
  if (info_of(shape.id).unit != MathUnit::matrix) return {};
  const auto& names = info_of(shape.id).dim_names;
  if (std::ranges::find(names, "trans_a") == names.end()) {
    if (info_of(shape.id).name != "gemm_bias_grad") return {};
    return {dim("m"), dim("n")};
  }
  return {dim("trans_a") != 0 ? dim("m") : dim("k"), dim("trans_b") != 0 ? dim("k") : dim("n"),
          dim("n")};
}

TEST(Padding, LeavesNoProductMisaligned) {
  for (const ModelFamily family : {ModelFamily::gpt2, ModelFamily::llama}) {
    for (const std::int64_t vocab : {50257, 49954, 7}) {
      const Model model = even_model(family, vocab, 508);
      for (const char* text : {"tp=1", "tp=2,sp=on", "tp=4"}) {
        SCOPED_TRACE(fmt::format("{} {} {}", model.name, vocab, text));
        Plan plan = parse_plan(text);
        plan.micro_batch = 4;
        plan = resolve(plan, model, plan.tp);
        const auto misaligned = [&](const DeviceTraits& traits) {
          std::int64_t count = 0;
          for (std::int32_t rank = 0; rank < plan.tp; ++rank) {
            for (const Op& op : step_program(model, plan, rank, traits).ops) {
              if (!op.kernel) continue;
              for (const std::int64_t length : row_lengths(*op.kernel)) {
                if (length % kGpuTraits.dimension_multiple != 0) ++count;
              }
            }
          }
          return count;
        };
        EXPECT_GT(misaligned(kHostTraits), 0);
        EXPECT_EQ(misaligned(kGpuTraits), 0);
        EXPECT_THAT(
            padding_of(model, plan, step_program(model, plan, 0, kGpuTraits), kGpuTraits).unaligned,
            IsEmpty());
      }
    }
  }
}

TEST(Padding, IsValidAcrossRanksAndSeenByTheLossAsPadding) {
  for (const ModelFamily family : {ModelFamily::gpt2, ModelFamily::llama}) {
    const Model model = even_model(family, 7, 508);
    const Plan plan = resolve(parse_plan("tp=4,dp=2,sp=on,micro_batch=4"), model, 8);
    std::vector<Program> programs;
    for (std::int32_t rank = 0; rank < 8; ++rank) {
      programs.push_back(step_program(model, plan, rank, kGpuTraits));
    }
    EXPECT_THAT(problems(programs), IsEmpty());
    std::int64_t columns = 0;
    for (std::int32_t rank = 0; rank < 4; ++rank) {
      for (const Op& op : programs[static_cast<std::size_t>(rank)].ops) {
        if (!op.kernel || op.kernel->id != OpId::ce_bwd) continue;
        const auto shape = unpack<CeBwdShape>(*op.kernel);
        EXPECT_EQ(shape.vocab_begin, columns);
        EXPECT_EQ(shape.cols + shape.padding, 64);
        columns += shape.cols;
      }
    }
    EXPECT_EQ(columns, 7);
  }
}

TEST(Padding, IsAbsentWhereTheDeviceAsksForNoneOrDimsAreMultiples) {
  const Model odd = even_model(ModelFamily::llama, 50257, 508);
  const Model even = even_model(ModelFamily::llama, 50304, 512);
  const Plan plan = resolve(parse_plan("micro_batch=2"), odd, 1);
  for (const auto& [model, traits] : {std::pair{odd, kHostTraits}, std::pair{even, kGpuTraits}}) {
    const Program program = step_program(model, plan, 0, traits);
    EXPECT_EQ(program, step_program(model, plan, 0));
    const Padding padding = padding_of(model, plan, program, traits);
    EXPECT_THAT(padding.dims, IsEmpty());
    EXPECT_EQ(padding.parameters, 0);
    EXPECT_EQ(padding.memory_bytes, 0);
    EXPECT_EQ(padding.flops_share(), 0);
    EXPECT_EQ(padding.model_kernel_flops, kernel_flops(program));
  }
}

TEST(Padding, CostsWhatItAddsToProductsAndBuffers) {
  // 50257 + 47, on one rank; the MLP width is a multiple.
  const Model model = even_model(ModelFamily::gpt2, 50257, 512);
  const Plan plan = resolve(parse_plan("micro_batch=2,accumulation=3"), model, 1);
  const Program program = step_program(model, plan, 0, kGpuTraits);
  const Padding padding = padding_of(model, plan, program, kGpuTraits);
  EXPECT_THAT(padding.dims, ElementsAre(PaddedDim{"vocabulary", 50257, 50304}));
  EXPECT_EQ(to_text(padding.dims), "vocabulary 50257 -> 50304");
  EXPECT_EQ(padding.parameters, 47 * 256);
  // Parameters, gradients and two moments in fp32, and the logits of a micro-step; each of these
  // buffers ends at a multiple of the alignment.
  EXPECT_NEAR(static_cast<double>(padding.memory_bytes), 47 * (4 * 4 * 256 + 4 * 2 * 16),
              5 * kBufferAlignmentBytes);
  // Three GEMMs of 2 x 47 x 256 per token; the optimizer's part is the rest.
  const double gemm_flops = 3.0 * 2 * 47 * 256 * (3 * 2 * 16);
  EXPECT_GE(padding.flops, gemm_flops);
  EXPECT_LT(padding.flops, 1.05 * gemm_flops);
  EXPECT_EQ(padding.model_kernel_flops, kernel_flops(step_program(model, plan, 0)));
  EXPECT_NEAR(padding.flops_share(), padding.flops / kernel_flops(program), 1e-12);
}

TEST(Padding, PadsTheTableOfTheHeadOnlyAndBothPartsOfAGatedMlp) {
  const Model model = even_model(ModelFamily::llama, 50257, 1000);
  Plan plan = parse_plan("tp=2");
  const ParamLayout layout(model, plan, 1, kGpuTraits);
  EXPECT_EQ(layout.find("embedding.weight").stored_elements(),
            layout.find("embedding.weight").elements());
  EXPECT_EQ(layout.find("head.weight").stored_rows(), 25152);  // 25128 and 24
  const Param& up = layout.find("layer0.mlp.up.weight");
  ASSERT_EQ(up.rows.size(), 2U);
  for (const RowRange& part : up.rows) {
    EXPECT_EQ(part.count, 500);
    EXPECT_EQ(part.padding, 12);
  }
  EXPECT_EQ(up.rows[1].begin, 1500);
  const Param& down = layout.find("layer0.mlp.down.weight");
  EXPECT_EQ(down.col_begin, 500);
  EXPECT_EQ(down.cols, 500);
  EXPECT_EQ(down.stored_cols(), 512);
  EXPECT_EQ(layout.find("layer0.attn.qkv.weight").stored_elements(),
            layout.find("layer0.attn.qkv.weight").elements());
}

TEST(Padding, NamesRowsThatItCannotAlign) {
  Model model = even_model(ModelFamily::gpt2, 64, 512);
  model.hidden = 100;
  model.heads = model.kv_heads = 5;
  model.head_dim = 20;
  const Plan bf16 = resolve(parse_plan("precision=bf16"), model, 1);
  const Plan fp32 = resolve(parse_plan("precision=fp32"), model, 1);
  const auto unaligned = [&](const Plan& plan) {
    return to_text(padding_of(model, plan, step_program(model, plan, 0, kEight), kEight).unaligned);
  };
  EXPECT_EQ(unaligned(bf16), "hidden 100, query width 100, query, key and value width 300");
  EXPECT_EQ(unaligned(fp32), "");  // 400 bytes are 25 x 16
}

}  // namespace
}  // namespace stepmark
