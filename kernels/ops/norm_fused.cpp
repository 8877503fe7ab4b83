// SPDX-License-Identifier: Apache-2.0
// The residual sum and the norm that follows it as one op. Its references add as the ops' contract
// says, in fp32 and rounded to the stored type: the statistics are those of what is stored.
#include <algorithm>

#include "kernels/ops/bench_sizes.h"
#include "kernels/ops/matrix_operands.h"
#include "kernels/ops/norm.h"
#include "kernels/ops/registry.h"

namespace stepmark {
namespace {

double as_float(double x) { return static_cast<double>(static_cast<float>(x)); }

double residual_sum(double a, double b, double bias, DType dtype) {
  const double sum = as_float(as_float(a + b) + bias);
  return dtype == DType::bf16 ? static_cast<double>(to_float(to_bf16(static_cast<float>(sum))))
                              : sum;
}

// Operands a, b, bias -> out.
template <class S>
void add_residual(const S& s, DType dtype, Operands x, std::span<double> out) {
  for (std::int64_t r = 0; r < s.rows; ++r) {
    for (std::int64_t c = 0; c < s.cols; ++c) {
      const std::int64_t at = r * s.cols + c;
      out[at] = residual_sum(x[0][at], x[1][at], s.bias != 0 ? x[2][c] : 0.0, dtype);
    }
  }
}

void residual_rmsnorm_reference(const OpShape& shape, Operands x) {
  const auto s = unpack<ResidualRmsNormFwdShape>(shape);
  add_residual(s, shape.dtype, x, x[4]);
  const std::span<double> norm[] = {x[4], x[3], x[5], x[6]};
  info_of(OpId::rmsnorm_fwd)
      .reference(pack(RmsNormFwdShape{.rows = s.rows, .cols = s.cols, .eps = s.eps}, shape.dtype),
                 Operands(norm));
}

void residual_layernorm_reference(const OpShape& shape, Operands x) {
  const auto s = unpack<ResidualLayerNormFwdShape>(shape);
  add_residual(s, shape.dtype, x, x[5]);
  const std::span<double> norm[] = {x[5], x[3], x[4], x[6], x[7], x[8]};
  info_of(OpId::layernorm_fwd)
      .reference(pack(LayerNormFwdShape{.rows = s.rows, .cols = s.cols, .eps = s.eps}, shape.dtype),
                 Operands(norm));
}

template <class S>
std::int64_t bias(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  return s.bias != 0 ? s.cols : 0;
}
template <class S>
std::vector<OpShape> test_shapes(DType dtype) {
  return pack_all<S>(dtype, {{.rows = 1, .cols = 2},
                             {.rows = 5, .cols = 37, .bias = 1},
                             {.rows = 3, .cols = 4100},
                             {.rows = 150, .cols = 768, .bias = 1}});
}
template <class S>
std::vector<OpShape> bench_shapes(DType dtype) {
  return pack_all<S>(dtype, {{.rows = 256, .cols = 768, .bias = 1},
                             {.rows = bench::kTokens, .cols = bench::kHidden}});
}
template <class S>
void validate(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  const std::string_view op = info_of(S::id).name;
  require_at_least(op, "cols", s.cols, 1);
  require_flag(op, "bias", s.bias);
  STEPMARK_REQUIRE(s.eps >= 0, "op {}: eps={} must not be negative", op, s.eps);
}
template <class S>
double tolerance(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  return sum_tolerance(shape.dtype, std::max(s.rows, s.cols));
}
// The norm's, and one or two additions.
template <class S, int kNorm>
double flops(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  return static_cast<double>(kNorm + (s.bias != 0 ? 2 : 1)) * static_cast<double>(s.rows * s.cols);
}

}  // namespace

const OpInfo& op_info_residual_rmsnorm_fwd() {
  using S = ResidualRmsNormFwdShape;
  static const OpInfo info =
      described<S>({.formula = "out = a + b [+ bias], y = out rstd gamma, rstd of out",
                    .source = "residual followed by rmsnorm_fwd",
                    .operands = {reads("a", all<S>), reads("b", all<S>), reads("bias", bias<S>),
                                 reads("gamma", cols<S>), writes("out", all<S>),
                                 writes("y", all<S>), writes("rstd", rows<S>, DTypeRule::f32)},
                    .flops = flops<S, 4>,
                    .tolerance = tolerance<S>,
                    .reference = residual_rmsnorm_reference,
                    .test_shapes = test_shapes<S>,
                    .bench_shapes = bench_shapes<S>,
                    .validate = validate<S>});
  return info;
}

const OpInfo& op_info_residual_layernorm_fwd() {
  using S = ResidualLayerNormFwdShape;
  static const OpInfo info = described<S>(
      {.formula = "out = a + b [+ bias], y = (out - mean) rstd gamma + beta, mean and rstd of out",
       .source = "residual followed by layernorm_fwd",
       .operands = {reads("a", all<S>), reads("b", all<S>), reads("bias", bias<S>),
                    reads("gamma", cols<S>), reads("beta", cols<S>), writes("out", all<S>),
                    writes("y", all<S>), writes("mean", rows<S>, DTypeRule::f32),
                    writes("rstd", rows<S>, DTypeRule::f32)},
       .flops = flops<S, 8>,
       .tolerance = tolerance<S>,
       .reference = residual_layernorm_reference,
       .test_shapes = test_shapes<S>,
       .bench_shapes = bench_shapes<S>,
       .validate = validate<S>});
  return info;
}

}  // namespace stepmark
