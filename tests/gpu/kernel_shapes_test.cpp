// SPDX-License-Identifier: Apache-2.0
// Shapes that the registry's small ones leave out and CUDA kernels treat differently: rows that are
// whole packs, rows too long for registers, more work than a grid has threads, tokens that recur
// often, none at all; and operands that share memory where the op allows it.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/ops/activation.h"
#include "kernels/ops/cross_entropy.h"
#include "kernels/ops/embedding.h"
#include "kernels/ops/fp8.h"
#include "kernels/ops/gemm.h"
#include "kernels/ops/loss.h"
#include "kernels/ops/memory.h"
#include "kernels/ops/norm.h"
#include "kernels/ops/optimizer.h"
#include "tests/gpu/device_run.h"

namespace stepmark::test {
namespace {

// bf16 keeps twice as many columns in registers as fp32: each limit is crossed by one of both.
constexpr std::int64_t kBeyondFwd[] = {8200, 16392};
constexpr std::int64_t kWideBwd[] = {4104, 8200};
constexpr std::int64_t kBeyondBwd[] = {8200, 16392};

void expect_reference(const OpShape& shape, bool misaligned,
                      std::optional<InPlace> in_place = std::nullopt) {
  SCOPED_TRACE(to_text(shape) + (misaligned ? " misaligned" : ""));
  const Values before = random_operands(shape, 11);
  Values want = before;
  run_reference(shape, want);
  const HostResult got = run_cuda(shape, before, misaligned, in_place);
  EXPECT_TRUE(got.guards_intact) << "wrote outside its operands";
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (!is_written(shape, i)) continue;
    EXPECT_LE(relative_error(got.values[i], want[i]), tolerance_of(shape, i))
        << info_of(shape.id).operands[i].name;
  }
}

class KernelShapes : public testing::TestWithParam<DType> {
 protected:
  template <class S>
  void expect_all(std::initializer_list<S> shapes) {
    for (const S& s : shapes) {
      for (const bool misaligned : {false, true}) expect_reference(pack(s, GetParam()), misaligned);
    }
  }
};

TEST_P(KernelShapes, NormForward) {
  expect_all<LayerNormFwdShape>({{.rows = 9, .cols = 64}, {.rows = 3, .cols = 2048}});
  expect_all<RmsNormFwdShape>({{.rows = 9, .cols = 64}, {.rows = 3, .cols = 2048}});
  expect_all<ResidualLayerNormFwdShape>(
      {{.rows = 9, .cols = 64, .bias = 1}, {.rows = 2, .cols = 1032}});
  expect_all<ResidualRmsNormFwdShape>(
      {{.rows = 9, .cols = 64}, {.rows = 2, .cols = 1032, .bias = 1}});
  for (const std::int64_t cols : kBeyondFwd) {
    expect_all<LayerNormFwdShape>({{.rows = 2, .cols = cols}});
    expect_all<RmsNormFwdShape>({{.rows = 2, .cols = cols}});
    expect_all<ResidualLayerNormFwdShape>({{.rows = 2, .cols = cols}});
    expect_all<ResidualRmsNormFwdShape>({{.rows = 2, .cols = cols, .bias = 1}});
  }
}

TEST_P(KernelShapes, NormBackward) {
  // Several rows per block, more rows than the grid takes at once, the last ones incomplete.
  expect_all<LayerNormBwdShape>({{.rows = 301, .cols = 64, .accumulate = 1}});
  expect_all<RmsNormBwdShape>({{.rows = 301, .cols = 64, .add_dx = 0}});
  expect_all<LayerNormBwdShape>({{.rows = 23, .cols = 1032, .add_dx = 0}});
  expect_all<RmsNormBwdShape>({{.rows = 23, .cols = 1032, .accumulate = 1}});
  for (const std::int64_t cols : kWideBwd) {
    expect_all<LayerNormBwdShape>({{.rows = 11, .cols = cols, .accumulate = 1}});
    expect_all<RmsNormBwdShape>({{.rows = 11, .cols = cols, .add_dx = 0}});
  }
  for (const std::int64_t cols : kBeyondBwd) {
    expect_all<LayerNormBwdShape>({{.rows = 17, .cols = cols, .add_dx = 0}});
    expect_all<RmsNormBwdShape>({{.rows = 17, .cols = cols, .accumulate = 1}});
  }
}

// Whole packs: tiles of 128 x 128 and their edges, several blocks of 128 columns per warp.
TEST_P(KernelShapes, Fp8Casts) {
  for (const std::int64_t e5m2 : {0, 1}) {
    expect_all<Fp8CastShape>({{.rows = 132, .cols = 264, .e5m2 = e5m2, .transpose = 1},
                              {.rows = 4, .cols = 136, .e5m2 = e5m2, .transpose = 1},
                              {.rows = 260, .cols = 128, .e5m2 = e5m2, .transpose = 1},
                              {.rows = 33, .cols = 272, .e5m2 = e5m2}});
    for (const std::int64_t block_rows : {1, 128}) {
      expect_all<Fp8BlockCastShape>(
          {{.rows = 130, .cols = 264, .e5m2 = e5m2, .block_rows = block_rows},
           {.rows = 3, .cols = 1032, .e5m2 = e5m2, .block_rows = block_rows}});
    }
  }
}

TEST_P(KernelShapes, ColumnSums) {
  expect_all<BiasGradShape>({{.m = 1031, .n = 264, .accumulate = 1}, {.m = 67, .n = 4104}});
}

TEST_P(KernelShapes, Activations) {
  expect_all<SwigluFwdShape>({{.rows = 9, .cols = 64}, {.rows = 3, .cols = 4104}});
  expect_all<SwigluBwdShape>({{.rows = 9, .cols = 64}, {.rows = 3, .cols = 4104}});
  expect_all<ResidualShape>(
      {{.rows = 9, .cols = 64, .bias = 1}, {.rows = 1031, .cols = 8, .bias = 1}});
  // Past the end of the grid, and far: large |x| saturates.
  expect_all<GeluBwdShape>({{.elements = (1 << 18) + 5}});
}

TEST_P(KernelShapes, Embeddings) {
  expect_all<EmbeddingFwdShape>({{.rows = 41, .cols = 64, .vocab_begin = 3, .vocab_rows = 29}});
  // Tokens that recur more often than are added at once, over several scans of the tokens.
  expect_all<EmbeddingBwdShape>(
      {{.rows = 5000, .cols = 8, .vocab_begin = 2, .vocab_rows = 3, .accumulate = 1},
       {.rows = 5000, .cols = 4, .vocab_rows = 40},
       {.rows = 9, .cols = 2052, .vocab_begin = 5, .vocab_rows = 7},
       {.rows = 9, .cols = 2052, .vocab_begin = 5, .vocab_rows = 7, .accumulate = 1}});
  expect_all<PositionFwdShape>({{.rows = 50, .cols = 64, .seq = 7, .row_begin = 5}});
  expect_all<PositionBwdShape>({{.rows = 50, .cols = 64, .seq = 3, .row_begin = 2},
                                {.rows = 50, .cols = 64, .seq = 7, .accumulate = 1}});
}

TEST_P(KernelShapes, CrossEntropy) {
  for (const std::int64_t cols : {std::int64_t{1}, std::int64_t{7}, std::int64_t{16},
                                  std::int64_t{64}, std::int64_t{40009}}) {
    expect_all<CeMaxShape>({{.rows = 5, .cols = cols}});
    expect_all<CeSumShape>({{.rows = 5, .cols = cols, .vocab_begin = cols / 3}});
    expect_all<CeBwdShape>({{.rows = 5, .cols = cols, .vocab_begin = cols / 3, .scale = 0.1}});
  }
  expect_all<CeBwdShape>({{.rows = 700, .cols = 9, .accumulate = 1, .scale = 0.01}});
}

// Rows that fit in half of an SM's shared memory, in all of it, and in no part of it whole.
TEST_P(KernelShapes, FusedCrossEntropy) {
  for (const std::int64_t cols : {std::int64_t{1}, std::int64_t{7}, std::int64_t{64},
                                  std::int64_t{20011}, std::int64_t{40009}, std::int64_t{100003}}) {
    expect_all<CeFwdBwdShape>({{.rows = 2, .cols = cols, .padding = -cols & 63, .scale = 0.1}});
  }
  expect_all<CeFwdBwdShape>({{.rows = 3, .cols = 4099, .scale = 0.5},
                             {.rows = 70, .cols = 9, .accumulate = 1, .scale = 0.01}});
}

// One reading of the logits gives what the maximum, then the sum, then the gradient give: to the
// rounding of fp32 sums in another order, or to bf16's of the result.
TEST_P(KernelShapes, FusedCrossEntropyIsTheUnfused) {
  const std::int64_t rows = 5, cols = 5003;
  const CeFwdBwdShape fused{.rows = rows, .cols = cols, .scale = 0.2};
  Values before = random_operands(pack(fused, GetParam()), 11);
  for (double& logit : before[0]) logit *= 8;  // maxima that grow on the way
  const HostResult got = run_cuda(pack(fused, GetParam()), before, false);
  const std::vector<double> row(static_cast<std::size_t>(rows)), both(2 * row.size());
  const auto logits = before[0], targets = before[1];
  const auto maximum =
      run_cuda(pack(CeMaxShape{.rows = rows, .cols = cols}, GetParam()), {logits, row}, false);
  const auto sums = run_cuda(pack(CeSumShape{.rows = rows, .cols = cols}, GetParam()),
                             {logits, maximum.values[1], targets, both}, false);
  const auto want = run_cuda(pack(CeBwdShape{.rows = rows, .cols = cols, .scale = 0.2}, GetParam()),
                             {logits, maximum.values[1], targets, sums.values[3], {0.0}}, false);
  const double tolerance = GetParam() == DType::bf16 ? 0x1p-9 : 0x1p-21;
  EXPECT_LE(relative_error(got.values[0], want.values[0]), tolerance);
  EXPECT_LE(relative_error(got.values[2], want.values[4]), 0x1p-21);
}

TEST_P(KernelShapes, FusedCrossEntropyOfInfinities) {
  const CeFwdBwdShape s{.rows = 2, .cols = 3000, .scale = 1};
  Values before = random_operands(pack(s, GetParam()), 11);
  const double infinity = std::numeric_limits<double>::infinity();
  // Whole packs of masked logits, in front of and between others: they count 0.
  for (std::size_t c = 0; c < 2000; ++c) before[0][c] = -infinity;
  before[1][0] = 2500;
  // A NaN makes its row NaN.
  before[0][3000 + 1234] = std::numeric_limits<double>::quiet_NaN();
  const HostResult got = run_cuda(pack(s, GetParam()), before, false);
  for (const std::size_t c : {std::size_t{0}, std::size_t{1999}}) EXPECT_EQ(got.values[0][c], 0);
  double sum = 0;
  for (std::size_t c = 0; c < 3000; ++c) sum += got.values[0][c];
  EXPECT_NEAR(sum, 0, 0.02) << "softmax less one";
  EXPECT_TRUE(std::isnan(got.values[0][3000]));
  EXPECT_TRUE(std::isnan(got.values[2][0]));
}

TEST_P(KernelShapes, Optimizer) {
  expect_all<AdamWShape>(
      {{.elements = 140001, .weight_decay = 0.1}, {.elements = 64, .beta1 = 0.0}});
  expect_all<SumSquaresShape>({{.elements = 3 << 18, .weight = 0.5}});
}

TEST_P(KernelShapes, Memory) {
  expect_all<CopyShape>({{.elements = (1 << 21) + 3}});
  expect_all<FmaShape>({{.elements = 5000, .iterations = 3}});
  expect_all<BucketPackShape>({{.tensors = 9, .elements = 64, .stride = 80}});
  expect_all<BucketUnpackShape>({{.tensors = 9, .elements = 64, .stride = 80, .scale = 0.25}});
}

TEST_P(KernelShapes, MayBeEmpty) {
  expect_all<CopyShape>({{}});
  expect_all<GeluBwdShape>({{}});
  expect_all<SwigluFwdShape>({{.cols = 8}, {.rows = 8}});
  expect_all<ResidualShape>({{.cols = 8, .bias = 1}});
  expect_all<LayerNormFwdShape>({{.cols = 8}});
  expect_all<ResidualRmsNormFwdShape>({{.cols = 8}});
  expect_all<LayerNormBwdShape>({{.cols = 8}, {.cols = 37, .accumulate = 1}});
  expect_all<EmbeddingFwdShape>({{.cols = 8, .vocab_rows = 2}, {.rows = 3, .cols = 8}});
  expect_all<EmbeddingBwdShape>({{.cols = 8, .vocab_rows = 2},
                                 {.cols = 8, .vocab_rows = 2, .accumulate = 1},
                                 {.rows = 3, .cols = 8}});
  expect_all<PositionBwdShape>({{.cols = 8, .seq = 2}});
  expect_all<CeMaxShape>({{.cols = 8}});
  expect_all<CeSumShape>({{.cols = 8}});
  expect_all<CeBwdShape>({{.cols = 8}});
  expect_all<CeFwdBwdShape>({{.cols = 8}});
  expect_all<SumSquaresShape>({{}});
  expect_all<AdamWShape>({{}});
  expect_all<BucketPackShape>({{.elements = 3, .stride = 3}, {.tensors = 3}});
  expect_all<FmaShape>({{}});
}

TEST_P(KernelShapes, MayWriteOverTheirInputs) {
  const auto in_place = [](auto s, InPlace where) {
    for (const bool misaligned : {false, true}) {
      expect_reference(pack(s, GetParam()), misaligned, where);
    }
  };
  in_place(GeluBwdShape{.elements = 5003}, {.operand = 2, .memory_of = 0});
  in_place(ResidualShape{.rows = 9, .cols = 64}, {.operand = 3, .memory_of = 0});
  in_place(ResidualShape{.rows = 9, .cols = 64, .bias = 1}, {.operand = 3, .memory_of = 0});
  for (const std::int64_t cols : {std::int64_t{64}, std::int64_t{16392}}) {
    in_place(ResidualRmsNormFwdShape{.rows = 3, .cols = cols}, {.operand = 4, .memory_of = 0});
    in_place(ResidualLayerNormFwdShape{.rows = 3, .cols = cols, .bias = 1},
             {.operand = 5, .memory_of = 0});
  }
}

INSTANTIATE_TEST_SUITE_P(Types, KernelShapes, testing::Values(DType::f32, DType::bf16),
                         [](const auto& type) { return std::string(name_of(type.param)); });

}  // namespace
}  // namespace stepmark::test
