// SPDX-License-Identifier: Apache-2.0
// The registry is whole, and its arithmetic gives figures worked out by hand.
#include "kernels/op.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "core/error.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/context.h"
#include "kernels/ops/cross_entropy.h"
#include "kernels/ops/embedding.h"
#include "kernels/ops/fp8.h"
#include "kernels/ops/gemm.h"
#include "kernels/ops/memory.h"
#include "kernels/ops/norm.h"
#include "kernels/ops/optimizer.h"

namespace stepmark {
namespace {

using testing::HasSubstr;

std::string usage_error(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return error.message();
  }
  return "no error";
}

TEST(OpRegistry, IsWhole) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < all_ops().size(); ++i) {
    const OpInfo& info = *all_ops()[i];
    SCOPED_TRACE(info.name);
    EXPECT_EQ(static_cast<std::size_t>(info.id), i);
    EXPECT_EQ(&info_of(info.id), &info);
    EXPECT_EQ(op_from(info.name), info.id);
    EXPECT_TRUE(names.insert(info.name).second);
    EXPECT_FALSE(info.formula.empty());
    EXPECT_FALSE(info.source.empty());
    EXPECT_LE(info.dim_names.size(), static_cast<std::size_t>(kMaxDims));
    EXPECT_LE(info.scalar_names.size(), static_cast<std::size_t>(kMaxScalars));
    EXPECT_NE(host_kernel(info.id), nullptr);
    for (const DType dtype : {DType::f32, DType::bf16}) {
      EXPECT_FALSE(info.test_shapes(dtype).empty());
      for (const auto& shapes : {info.test_shapes(dtype), info.bench_shapes(dtype)}) {
        for (const OpShape& shape : shapes) {
          EXPECT_EQ(shape.id, info.id);
          EXPECT_EQ(shape.dtype, dtype);
          EXPECT_NO_THROW(validate_shape(shape));
          EXPECT_GE(flops_of(shape), 0);
          EXPECT_GT(bytes_of(shape), 0);
        }
      }
    }
  }
}

TEST(OpRegistry, UnknownNameGivesTheNearest) {
  EXPECT_THAT(usage_error([] { (void)op_from("layernorm_fw"); }), HasSubstr("layernorm_fwd"));
}

TEST(OpCosts, Gemm) {
  const OpShape shape = pack(
      GemmShape{.m = 2, .n = 3, .k = 5, .bias = 1, .accumulate = 1, .out_f32 = 1}, DType::bf16);
  EXPECT_EQ(flops_of(shape), 60);
  EXPECT_EQ(bytes_of(shape), 2 * (10 + 15 + 3) + 2 * 4 * 6);  // bf16 operands, fp32 c twice
  EXPECT_EQ(dtype_of(shape, 3), DType::f32);
  EXPECT_EQ(access_of(shape, 3), Access::inout);
}

TEST(OpCosts, CausalAttentionCountsVisiblePairsOnly) {
  const OpShape shape =
      pack(AttentionFwdShape{.batch = 2, .seq = 3, .heads = 4, .kv_heads = 2, .head_dim = 8},
           DType::f32);
  EXPECT_EQ(flops_of(shape), 2 * 4 * 6 * (4 * 8));  // 6 of 9 pairs, two multiply-adds each
  EXPECT_EQ(bytes_of(shape), 4 * (6 * 8 * 8 + 6 * 4 * 8 + 2 * 4 * 3));
  const OpShape backward =
      pack(AttentionBwdShape{.batch = 2, .seq = 3, .heads = 4, .kv_heads = 2, .head_dim = 8},
           DType::f32);
  EXPECT_EQ(flops_of(backward), 2.5 * flops_of(shape));
}

TEST(OpCosts, GathersCountTheRowsTheyTouch) {
  EXPECT_EQ(
      bytes_of(pack(EmbeddingFwdShape{.rows = 10, .cols = 4, .vocab_rows = 1000}, DType::f32)),
      10 * 4 + 2 * 10 * 4 * 4);
  const EmbeddingBwdShape backward{.rows = 10, .cols = 4, .vocab_rows = 1000, .accumulate = 1};
  EXPECT_EQ(bytes_of(pack(backward, DType::f32)), 10 * 4 + 3 * 10 * 4 * 4);
}

TEST(OpCosts, AdamW) {
  const AdamWShape s{.elements = 10};
  EXPECT_EQ(bytes_of(pack(s, DType::f32)), 10 * 7 * 4);
  EXPECT_EQ(bytes_of(pack(s, DType::bf16)), 10 * (7 * 4 + 2));
  EXPECT_EQ(elements_of(pack(s, DType::f32), 5), 0) << "fp32 needs no master";
  EXPECT_EQ(elements_of(pack(s, DType::bf16), 5), 10);
}

TEST(OpCosts, CopyTriadAndCast) {
  EXPECT_EQ(bytes_of(pack(CopyShape{.elements = 10}, DType::f32)), 80);
  EXPECT_EQ(bytes_of(pack(TriadShape{.elements = 10}, DType::f32)), 120);
  EXPECT_EQ(flops_of(pack(TriadShape{.elements = 10}, DType::f32)), 20);
  const OpShape narrow = pack(CastShape{.elements = 10}, DType::bf16);
  const OpShape widen = pack(CastShape{.elements = 10, .to_f32 = 1}, DType::bf16);
  EXPECT_EQ(bytes_of(narrow), 60);
  EXPECT_EQ(dtype_of(narrow, 0), DType::f32);
  EXPECT_EQ(dtype_of(narrow, 1), DType::bf16);
  EXPECT_EQ(dtype_of(widen, 0), DType::bf16);
  EXPECT_EQ(dtype_of(widen, 1), DType::f32);
}

TEST(OpCosts, FusedGemms) {
  const GemmGeluShape gelu{.m = 2, .n = 3, .k = 5, .bias = 1};
  EXPECT_EQ(flops_of(pack(gelu, DType::bf16)), 60 + 9 * 6);
  EXPECT_EQ(bytes_of(pack(gelu, DType::bf16)), 2 * (10 + 15 + 3 + 6 + 6));
  const GemmBiasGradShape both{.m = 2, .n = 3, .k = 5, .accumulate = 1};
  EXPECT_EQ(bytes_of(pack(both, DType::bf16)), 2 * (10 + 15) + 2 * 4 * (6 + 2));
}

TEST(OpCosts, BucketsLeaveTheGapsOut) {
  EXPECT_EQ(bytes_of(pack(BucketPackShape{.tensors = 3, .elements = 5, .stride = 100}, DType::f32)),
            2 * 3 * 5 * 4);
  EXPECT_EQ(
      bytes_of(pack(BucketUnpackShape{.tensors = 3, .elements = 5, .stride = 100}, DType::bf16)),
      2 * 3 * 5 * 2);
}

TEST(OpCosts, Fp8OperandsAreOneByte) {
  const OpShape cast = pack(Fp8CastShape{.rows = 3, .cols = 5, .transpose = 1}, DType::bf16);
  EXPECT_EQ(bytes_of(cast), 3 * 5 * (2 + 1 + 1) + 4 + 2 * 4);
  const OpShape gemm =
      pack(Fp8GemmShape{.m = 3, .n = 16, .k = 144, .b_e5m2 = 1, .blockwise = 1}, DType::bf16);
  EXPECT_EQ(dtype_of(gemm, 0), DType::f8e4m3);
  EXPECT_EQ(dtype_of(gemm, 1), DType::f8e5m2);
  EXPECT_EQ(elements_of(gemm, 2), 3 * 2);
  EXPECT_EQ(elements_of(gemm, 3), 1 * 2);
  EXPECT_EQ(bytes_of(gemm), 19 * 144 + 4 * (6 + 2) + 2 * 3 * 16);
}

TEST(OpMath, IsWhatThePeakIsLookedUpFor) {
  EXPECT_EQ(math_dtype_of(pack(Fp8GemmShape{.a_e5m2 = 1}, DType::bf16)), DType::f8e5m2);
  EXPECT_EQ(math_dtype_of(pack(GemmBiasGradShape{}, DType::bf16)), DType::bf16);
  EXPECT_EQ(math_dtype_of(pack(AttentionBwdShape{}, DType::bf16)), DType::bf16);
  EXPECT_EQ(math_dtype_of(pack(GeluFwdShape{}, DType::bf16)), DType::f32);
  for (const OpInfo* info : all_ops()) {
    const bool gemm = info->name.find("gemm") != std::string_view::npos ||
                      info->name.find("attention") != std::string_view::npos ||
                      info->name == "experts_wgrad";
    EXPECT_EQ(info->unit == MathUnit::matrix, gemm) << info->name;
  }
}

TEST(OpPrepare, LargeAttentionIsNotComputed) {
  const AttentionBwdShape s{.batch = 1, .seq = 20000, .heads = 1, .kv_heads = 1, .head_dim = 64};
  const OpShape shape = pack(s, DType::f32);
  std::vector<std::vector<double>> values;
  for (std::size_t i = 0; i < info_of(shape.id).operands.size(); ++i) {
    values.emplace_back(static_cast<std::size_t>(elements_of(shape, i)), 0.25);
  }
  const std::vector<std::span<double>> spans(values.begin(), values.end());
  info_of(shape.id).prepare(shape, spans);
  EXPECT_EQ(values[2].front(), 0.25);
  EXPECT_EQ(values[3].front(), 0.5);                  // one visible key
  EXPECT_NEAR(values[3].back(), 9.9035 + 0.5, 1e-3);  // ln 20000
}

TEST(OpAccess, FollowsTheFlags) {
  LayerNormBwdShape s{.rows = 2, .cols = 3};
  EXPECT_EQ(access_of(pack(s, DType::f32), 5), Access::inout);
  EXPECT_EQ(access_of(pack(s, DType::f32), 6), Access::out);
  s.add_dx = 0;
  s.accumulate = 1;
  EXPECT_EQ(access_of(pack(s, DType::f32), 5), Access::out);
  EXPECT_EQ(access_of(pack(s, DType::f32), 6), Access::inout);
}

TEST(OpTolerance, IsThatOfTheStoredType) {
  const OpShape shape = pack(BiasGradShape{.m = 100, .n = 3}, DType::bf16);
  EXPECT_LT(tolerance_of(shape, 1), 1e-5) << "fp32 output of a bf16 op";
  const OpShape gelu = pack(GeluFwdShape{.elements = 3}, DType::bf16);
  EXPECT_GT(tolerance_of(gelu, 1), 1e-3);
}

TEST(OpTolerance, OfFp32SumsWhoseWeightsMayBeRounded) {
  const AttentionChunksFwdShape s{.batch = 1,
                                  .chunk = 8,
                                  .ways = 1,
                                  .key_pairs = 1,
                                  .heads = 1,
                                  .kv_heads = 1,
                                  .head_dim = 64,
                                  .out_f32 = 1};
  EXPECT_GT(tolerance_of(pack(s, DType::bf16), 2), 1e-3);
  EXPECT_LT(tolerance_of(pack(s, DType::bf16), 3), 1e-5) << "of the log-sum-exp";
  EXPECT_LT(tolerance_of(pack(s, DType::f32), 2), 1e-5);
}

TEST(OpDims, ByName) {
  const OpShape shape = pack(GemmShape{.m = 2, .n = 3, .k = 5}, DType::f32);
  EXPECT_EQ(dim_of(shape, "k"), 5);
  EXPECT_THAT(usage_error([&] { (void)dim_of(shape, "rows"); }), HasSubstr("rows"));
}

TEST(OpDims, PackAndUnpackAreInverse) {
  const RopeShape rope{
      .batch = 2, .seq = 3, .heads = 4, .kv_heads = 2, .head_dim = 8, .theta = 5e5};
  const OpShape shape = pack(rope, DType::bf16);
  EXPECT_EQ(pack(unpack<RopeShape>(shape), DType::bf16), shape);
  EXPECT_EQ(unpack<RopeShape>(shape).theta, 5e5);
}

TEST(OpValidate, RejectsImpossibleShapes) {
  const auto message = [](auto shape, DType dtype = DType::f32) {
    return usage_error([&] { validate_shape(pack(shape, dtype)); });
  };
  EXPECT_THAT(message(GemmShape{.m = -1, .n = 1, .k = 1}), HasSubstr("m=-1"));
  EXPECT_THAT(message(GemmShape{.m = 1, .n = 1, .k = 1, .trans_a = 2}), HasSubstr("trans_a=2"));
  EXPECT_THAT(message(GemmShape{.m = std::int64_t{1} << 31, .n = 1, .k = 1}),
              HasSubstr("m=214748"));
  EXPECT_THAT(message(GemmShape{.m = 1, .n = 1, .k = 1}, DType::f64), HasSubstr("fp64"));
  EXPECT_THAT(
      message(AttentionFwdShape{.batch = 1, .seq = 2, .heads = 3, .kv_heads = 2, .head_dim = 4}),
      HasSubstr("not a multiple of kv_heads=2"));
  EXPECT_THAT(message(RopeShape{.batch = 1, .seq = 2, .heads = 2, .kv_heads = 2, .head_dim = 3}),
              HasSubstr("head_dim=3 must be even"));
  EXPECT_THAT(message(PositionFwdShape{.rows = 1, .cols = 1}), HasSubstr("seq=0"));
  EXPECT_THAT(message(CeMaxShape{.rows = 1}), HasSubstr("cols=0"));
  EXPECT_THAT(message(AdamWShape{.elements = 1, .beta2 = 1.0}), HasSubstr("beta2=1"));
  EXPECT_THAT(message(CopyShape{.elements = std::int64_t{1} << 50}), HasSubstr("elements="));
  EXPECT_THAT(message(Fp8GemmShape{.m = 1, .n = 16, .k = 8}), HasSubstr("k=8"));
  EXPECT_THAT(message(Fp8GemmShape{.m = 1, .n = 16, .k = 16, .a_e5m2 = 1, .b_e5m2 = 1}),
              HasSubstr("both be e5m2"));
  EXPECT_THAT(message(Fp8BlockCastShape{.rows = 1, .cols = 1, .block_rows = 64}),
              HasSubstr("block_rows=64"));
  EXPECT_THAT(message(Fp8ScaleShape{}), HasSubstr("history=0"));
  EXPECT_THAT(message(OccupyShape{.ctas = 1, .threads = 2048}), HasSubstr("threads=2048"));
  EXPECT_THAT(message(BucketPackShape{.tensors = 1, .elements = 5, .stride = 4}),
              HasSubstr("stride=4"));
  EXPECT_EQ(message(CopyShape{.elements = 0}), "no error");
}

}  // namespace
}  // namespace stepmark
