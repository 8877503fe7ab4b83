// SPDX-License-Identifier: Apache-2.0
// Facts and double references of fp8 casts and GEMMs. Casts are exact by definition, so their
// tolerance is 0; the GEMM's allows for the accumulators of tensor cores, derived beside it.
#include "kernels/ops/fp8.h"

#include <algorithm>

#include "kernels/ops/bench_sizes.h"
#include "kernels/ops/matrix_operands.h"
#include "kernels/ops/registry.h"

namespace stepmark {
namespace {

std::int64_t blocks(std::int64_t elements, std::int64_t block) {
  return (elements + block - 1) / block;
}

double rounded_to_fp8(float x, bool e5m2) {
  return static_cast<double>(e5m2 ? to_float(to_f8e5m2(x)) : to_float(to_f8e4m3(x)));
}

// The product is taken in fp32, as the op says: the bits are defined.
void cast_reference(const Fp8CastShape& s, Operands x) {
  const auto in = x[0], q = x[2], q_t = x[3];
  const auto scale = static_cast<float>(x[1][0]);
  for (std::int64_t r = 0; r < s.rows; ++r) {
    for (std::int64_t c = 0; c < s.cols; ++c) {
      const double value = in[r * s.cols + c];
      const double rounded = rounded_to_fp8(static_cast<float>(value) * scale, s.e5m2 != 0);
      q[r * s.cols + c] = rounded;
      if (s.transpose != 0) q_t[c * s.rows + r] = rounded;
      if (std::abs(value) > x[4][0]) x[4][0] = std::abs(value);
    }
  }
}

void scale_reference(const Fp8ScaleShape& s, Operands x) {
  const auto history = x[0];
  double largest = 0;
  for (const double amax : history) largest = amax > largest ? amax : largest;
  const double scale = static_cast<double>(fp8_max(s.e5m2 != 0)) / largest / std::exp2(s.margin);
  // Beyond fp32's largest it is not finite there.
  const bool usable = scale > 0 && scale <= 0x1.fffffep127;
  x[1][0] = usable ? scale : 1.0;
  x[2][0] = 1.0 / x[1][0];
  std::copy_backward(history.begin(), history.end() - 1, history.end());
  history[0] = 0;
}

void block_cast_reference(const Fp8BlockCastShape& s, Operands x) {
  const auto in = x[0], q = x[1], scale_inv = x[2];
  const std::int64_t across = blocks(s.cols, kFp8Block);
  for (std::int64_t row = 0; row < s.rows; row += s.block_rows) {
    for (std::int64_t col = 0; col < s.cols; col += kFp8Block) {
      const std::int64_t row_end = std::min(s.rows, row + s.block_rows);
      const std::int64_t col_end = std::min(s.cols, col + kFp8Block);
      double amax = 0;
      for (std::int64_t r = row; r < row_end; ++r) {
        for (std::int64_t c = col; c < col_end; ++c) {
          amax = std::max(amax, std::abs(in[r * s.cols + c]));
        }
      }
      const double inverse = amax > 0 ? amax / static_cast<double>(fp8_max(s.e5m2 != 0)) : 1.0;
      scale_inv[row / s.block_rows * across + col / kFp8Block] = inverse;
      for (std::int64_t r = row; r < row_end; ++r) {
        for (std::int64_t c = col; c < col_end; ++c) {
          const std::int64_t at = r * s.cols + c;
          q[at] = rounded_to_fp8(static_cast<float>(in[at] / inverse), s.e5m2 != 0);
        }
      }
    }
  }
}

void gemm_reference(const Fp8GemmShape& s, Operands x) {
  const auto a = x[0], b = x[1], c = x[4];
  const std::int64_t across = blocks(s.k, kFp8Block);
  for (std::int64_t i = 0; i < s.m; ++i) {
    for (std::int64_t j = 0; j < s.n; ++j) {
      double sum = 0;
      for (std::int64_t l = 0; l < s.k; ++l) {
        const std::int64_t block = l / kFp8Block;
        const double scale = s.blockwise != 0
                                 ? x[2][i * across + block] * x[3][j / kFp8Block * across + block]
                                 : x[2][0] * x[3][0];
        sum += a[i * s.k + l] * b[j * s.k + l] * scale;
      }
      double& out = c[i * s.n + j];
      out = s.accumulate != 0 ? out + sum : sum;
    }
  }
}

std::int64_t history(const OpShape& shape) { return unpack<Fp8ScaleShape>(shape).history; }

// A scale that fills the type's range, and sends the largest values beyond it.
void prepare_cast(const Fp8CastShape& s, Operands x) {
  x[1][0] = static_cast<double>(fp8_max(s.e5m2 != 0)) * (0.25 + 0.1 * std::abs(x[1][0]));
  x[4][0] = std::abs(x[4][0]);
}

// Exact but where x / scale_inv lies at the middle of two fp8 numbers to within an fp32 rounding
// and a backend multiplies by fp8_max / amax instead: an element in thousands may go the other way,
// which leaves a small part of the type's unit roundoff. Rounding towards zero would double the
// error of every element, and exceed this.
double block_cast_tolerance(const OpShape& shape) {
  if (shape.dtype == DType::f32) return rounding_tolerance(DType::f32, 4);  // scale_inv
  return shape.dtype == DType::f8e5m2 ? 0x1p-5 : 0x1p-6;
}

// Products of fp8 numbers are exact in fp32. Their sum is not fp32's: Hopper's tensor cores align
// the addends of one instruction to the largest of them and keep about 13 bits below it. With fast
// accumulation off, the running sum leaves them for fp32 registers every 128 elements of k, so the
// loss does not grow with k: for normal data about 2^-12.8 of the norm, by counting the bits that
// addends lose. 2^-11 has room for that, and none for fast accumulation at k in the thousands.
double gemm_tolerance(const OpShape& shape) {
  return rounding_tolerance(shape.dtype, 0) +
         sum_tolerance(DType::f32, unpack<Fp8GemmShape>(shape).k) + 0x1p-11;
}

void validate_gemm(const Fp8GemmShape& s) {
  const std::string_view op = "fp8_gemm";
  for (const auto& [name, value] :
       {std::pair{"a_e5m2", s.a_e5m2}, std::pair{"b_e5m2", s.b_e5m2},
        std::pair{"out_f32", s.out_f32}, std::pair{"accumulate", s.accumulate},
        std::pair{"blockwise", s.blockwise}}) {
    require_flag(op, name, value);
  }
  STEPMARK_REQUIRE(s.a_e5m2 == 0 || s.b_e5m2 == 0, "op {}: a and b cannot both be e5m2", op);
  for (const auto& [name, value] : {std::pair{"n", s.n}, std::pair{"k", s.k}}) {
    STEPMARK_REQUIRE(value % 16 == 0, "op {}: {}={} must be a multiple of 16", op, name, value);
  }
}

std::vector<OpShape> gemm_bench_shapes(DType dtype) {
  using S = Fp8GemmShape;
  std::vector<OpShape> shapes{pack(S{.m = 2048, .n = 2048, .k = 2048}, dtype),
                              pack(S{.m = 8192, .n = 8192, .k = 8192}, dtype)};
  for (const auto& [in, out] : bench::kLayer) {
    // Forward, gradient of the input (of an e5m2 dy), gradient of the weight.
    shapes.push_back(pack(S{.m = bench::kTokens, .n = out, .k = in}, dtype));
    shapes.push_back(pack(S{.m = bench::kTokens, .n = in, .k = out, .a_e5m2 = 1}, dtype));
    shapes.push_back(
        pack(S{.m = out, .n = in, .k = bench::kTokens, .a_e5m2 = 1, .out_f32 = 1, .accumulate = 1},
             dtype));
    shapes.push_back(pack(S{.m = bench::kTokens, .n = out, .k = in, .blockwise = 1}, dtype));
  }
  return shapes;
}

}  // namespace

const OpInfo& op_info_fp8_cast() {
  using S = Fp8CastShape;
  static const OpInfo info = described<S>(
      {.formula = "q = fp8(x scale), q_t = q^T, amax = max(amax, max |x|)",
       .source = "Micikevicius et al., arXiv 2209.05433; OCP 8-bit floating point 1.0",
       .operands = {reads("x", all<S>), reads("scale", one, DTypeRule::f32),
                    writes("q", all<S>, DTypeRule::fp8),
                    writes("q_t",
                           on<S>([](const S& s) { return s.transpose != 0 ? s.rows * s.cols : 0; }),
                           DTypeRule::fp8),
                    updates("amax", one, DTypeRule::f32)},
       .flops = [](const OpShape& s) { return 2.0 * static_cast<double>(all<S>(s)); },
       .tolerance = exact,
       .reference = on_operands<S>([](const S& s, Operands x) { cast_reference(s, x); }),
       .test_shapes = shapes<S>({{.rows = 1, .cols = 1},
                                 {.rows = 5, .cols = 37, .e5m2 = 1},
                                 {.rows = 70, .cols = 33, .transpose = 1},
                                 {.rows = 64, .cols = 256, .e5m2 = 1, .transpose = 1},
                                 {.rows = 131, .cols = 259, .transpose = 1}}),
       .bench_shapes =
           shapes<S>({{.rows = 2048, .cols = 2048, .transpose = 1},
                      {.rows = bench::kTokens, .cols = bench::kHidden},
                      {.rows = bench::kTokens, .cols = bench::kHidden, .transpose = 1},
                      {.rows = bench::kTokens, .cols = bench::kFfn, .e5m2 = 1, .transpose = 1}}),
       .validate = on<S>([](const S& s) {
         require_flag("fp8_cast", "e5m2", s.e5m2);
         require_flag("fp8_cast", "transpose", s.transpose);
       }),
       .prepare = on_operands<S>([](const S& s, Operands x) { prepare_cast(s, x); })});
  return info;
}

const OpInfo& op_info_fp8_scale() {
  using S = Fp8ScaleShape;
  static const OpInfo info = described<S>(
      {.formula = "scale = fp8_max / max(history) / 2^margin, 1 if that is 0; history moves by one",
       .source = "delayed scaling: Micikevicius et al., arXiv 2209.05433, section 3",
       .operands = {updates("amax_history", history, DTypeRule::f32),
                    writes("scale", one, DTypeRule::f32), writes("scale_inv", one, DTypeRule::f32)},
       .flops = [](const OpShape& s) { return static_cast<double>(history(s)); },
       .tolerance = [](const OpShape&) { return rounding_tolerance(DType::f32, 4); },
       .reference = on_operands<S>([](const S& s, Operands x) { scale_reference(s, x); }),
       .test_shapes = shapes<S>({{.history = 1, .margin = 1},
                                 {.history = 2, .e5m2 = 1},
                                 {.history = 1024, .margin = 0},
                                 {.history = 17, .e5m2 = 1, .margin = 2}}),
       .bench_shapes = shapes<S>({{.history = 1024}}),
       .validate = on<S>([](const S& s) {
         require_at_least("fp8_scale", "history", s.history, 1);
         require_flag("fp8_scale", "e5m2", s.e5m2);
         STEPMARK_REQUIRE(s.margin >= 0 && s.margin <= 64,
                          "op fp8_scale: margin={} must be between 0 and 64", s.margin);
       }),
       .prepare = on_operands<S>([](const S&, Operands x) {
         for (double& amax : x[0]) amax = std::abs(amax);
       })});
  return info;
}

const OpInfo& op_info_fp8_block_cast() {
  using S = Fp8BlockCastShape;
  static const OpInfo info = described<S>(
      {.formula = "per block: scale_inv = max |x| / fp8_max (1 if 0), q = fp8(x / scale_inv)",
       .source = "DeepSeek-V3, arXiv 2412.19437, section 3.3.2",
       .operands = {reads("x", all<S>), writes("q", all<S>, DTypeRule::fp8),
                    writes("scale_inv", on<S>([](const S& s) {
                             return blocks(s.rows, s.block_rows) * blocks(s.cols, kFp8Block);
                           }),
                           DTypeRule::f32)},
       .flops = [](const OpShape& s) { return 2.0 * static_cast<double>(all<S>(s)); },
       .tolerance = block_cast_tolerance,
       .reference = on_operands<S>([](const S& s, Operands x) { block_cast_reference(s, x); }),
       .test_shapes = shapes<S>({{.rows = 1, .cols = 1},
                                 {.rows = 5, .cols = 300, .e5m2 = 1},
                                 {.rows = 33, .cols = 256},
                                 {.rows = 5, .cols = 37, .block_rows = 128},
                                 {.rows = 128, .cols = 128, .e5m2 = 1, .block_rows = 128},
                                 {.rows = 150, .cols = 260, .block_rows = 128}}),
       .bench_shapes =
           shapes<S>({{.rows = 2048, .cols = 2048},
                      {.rows = bench::kTokens, .cols = bench::kHidden},
                      {.rows = 2 * bench::kFfn, .cols = bench::kHidden, .block_rows = 128}}),
       .validate = on<S>([](const S& s) {
         require_flag("fp8_block_cast", "e5m2", s.e5m2);
         STEPMARK_REQUIRE(s.block_rows == 1 || s.block_rows == kFp8Block,
                          "op fp8_block_cast: block_rows={} must be 1 or {}", s.block_rows,
                          kFp8Block);
       })});
  return info;
}

const OpInfo& op_info_fp8_gemm() {
  using S = Fp8GemmShape;
  static const OpInfo info = described<S>(
      {.formula = "c[i,j] [+]= sum_l a[i,l] b[j,l] sa sb, sa and sb the scales of l's block",
       .source =
           "Micikevicius et al., arXiv 2209.05433; by blocks: arXiv 2412.19437, section 3.3.2",
       .operands = {reads("a", of_dims<&S::m, &S::k>, DTypeRule::fp8_a),
                    reads("b", of_dims<&S::n, &S::k>, DTypeRule::fp8_b),
                    reads("a_scale_inv", on<S>([](const S& s) {
                            return s.blockwise != 0 ? s.m * blocks(s.k, kFp8Block) : 1;
                          }),
                          DTypeRule::f32),
                    reads("b_scale_inv", on<S>([](const S& s) {
                            return s.blockwise != 0
                                       ? blocks(s.n, kFp8Block) * blocks(s.k, kFp8Block)
                                       : 1;
                          }),
                          DTypeRule::f32),
                    accumulates("c", of_dims<&S::m, &S::n>, DTypeRule::out_f32_flag)},
       .flops = on<S>([](const S& s) {
         return 2.0 * static_cast<double>(s.m) * static_cast<double>(s.n) *
                static_cast<double>(s.k);
       }),
       .tolerance = gemm_tolerance,
       .reference = on_operands<S>([](const S& s, Operands x) { gemm_reference(s, x); }),
       .test_shapes = shapes<S>({{.m = 1, .n = 16, .k = 16},
                                 {.m = 16, .n = 32, .k = 64, .a_e5m2 = 1, .out_f32 = 1},
                                 {.m = 13, .n = 48, .k = 272, .b_e5m2 = 1, .accumulate = 1},
                                 {.m = 128, .n = 64, .k = 512, .out_f32 = 1, .accumulate = 1},
                                 {.m = 13, .n = 144, .k = 272, .blockwise = 1},
                                 {.m = 37,
                                  .n = 144,
                                  .k = 384,
                                  .a_e5m2 = 1,
                                  .out_f32 = 1,
                                  .accumulate = 1,
                                  .blockwise = 1}}),
       .bench_shapes = gemm_bench_shapes,
       .validate = on<S>([](const S& s) { validate_gemm(s); }),
       .prepare = on_operands<S>([](const S&, Operands x) {
         for (double& scale : x[2]) scale = 0.5 + std::abs(scale);
         for (double& scale : x[3]) scale = 0.5 + std::abs(scale);
       }),
       .unit = MathUnit::matrix});
  return info;
}

}  // namespace stepmark
