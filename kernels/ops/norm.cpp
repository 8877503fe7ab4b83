// SPDX-License-Identifier: Apache-2.0
// Facts and double references of LayerNorm and RMSNorm. A backward pass gets the statistics of its
// x from the forward reference, since arbitrary ones would be of no input.
#include "kernels/ops/norm.h"

#include <algorithm>

#include "kernels/ops/matrix_operands.h"
#include "kernels/ops/registry.h"

namespace stepmark {
namespace {

void layernorm_fwd_reference(const LayerNormFwdShape& s, Operands x) {
  const auto n = static_cast<double>(s.cols);
  for (std::int64_t r = 0; r < s.rows; ++r) {
    const auto row = x[0].subspan(r * s.cols, s.cols), y = x[3].subspan(r * s.cols, s.cols);
    double mean = 0, variance = 0;
    for (const double v : row) mean += v / n;
    for (const double v : row) variance += (v - mean) * (v - mean) / n;
    const double rstd = 1.0 / std::sqrt(variance + s.eps);
    for (std::int64_t c = 0; c < s.cols; ++c) y[c] = (row[c] - mean) * rstd * x[1][c] + x[2][c];
    x[4][r] = mean;
    x[5][r] = rstd;
  }
}

void layernorm_bwd_reference(const LayerNormBwdShape& s, Operands x) {
  const auto dy = x[0], in = x[1], gamma = x[2], dx = x[5], dgamma = x[6], dbeta = x[7];
  const auto n = static_cast<double>(s.cols);
  if (s.accumulate == 0) {
    std::ranges::fill(dgamma, 0.0);
    std::ranges::fill(dbeta, 0.0);
  }
  for (std::int64_t r = 0; r < s.rows; ++r) {
    const double mean = x[3][r], rstd = x[4][r];
    double sum = 0, sum_hat = 0;  // of gamma*dy, and of gamma*dy*xhat
    for (std::int64_t c = 0; c < s.cols; ++c) {
      const std::int64_t at = r * s.cols + c;
      const double hat = (in[at] - mean) * rstd;
      sum += gamma[c] * dy[at];
      sum_hat += gamma[c] * dy[at] * hat;
      dgamma[c] += dy[at] * hat;
      dbeta[c] += dy[at];
    }
    for (std::int64_t c = 0; c < s.cols; ++c) {
      const std::int64_t at = r * s.cols + c;
      const double hat = (in[at] - mean) * rstd;
      const double d = rstd * (gamma[c] * dy[at] - sum / n - hat * sum_hat / n);
      dx[at] = s.add_dx != 0 ? dx[at] + d : d;
    }
  }
}

void rmsnorm_fwd_reference(const RmsNormFwdShape& s, Operands x) {
  const auto n = static_cast<double>(s.cols);
  for (std::int64_t r = 0; r < s.rows; ++r) {
    const auto row = x[0].subspan(r * s.cols, s.cols), y = x[2].subspan(r * s.cols, s.cols);
    double mean_square = 0;
    for (const double v : row) mean_square += v * v / n;
    const double rstd = 1.0 / std::sqrt(mean_square + s.eps);
    for (std::int64_t c = 0; c < s.cols; ++c) y[c] = row[c] * rstd * x[1][c];
    x[3][r] = rstd;
  }
}

void rmsnorm_bwd_reference(const RmsNormBwdShape& s, Operands x) {
  const auto dy = x[0], in = x[1], gamma = x[2], dx = x[4], dgamma = x[5];
  const auto n = static_cast<double>(s.cols);
  if (s.accumulate == 0) std::ranges::fill(dgamma, 0.0);
  for (std::int64_t r = 0; r < s.rows; ++r) {
    const double rstd = x[3][r];
    double sum_hat = 0;
    for (std::int64_t c = 0; c < s.cols; ++c) {
      const std::int64_t at = r * s.cols + c;
      sum_hat += gamma[c] * dy[at] * in[at] * rstd;
      dgamma[c] += dy[at] * in[at] * rstd;
    }
    for (std::int64_t c = 0; c < s.cols; ++c) {
      const std::int64_t at = r * s.cols + c;
      const double d = rstd * (gamma[c] * dy[at] - in[at] * rstd * sum_hat / n);
      dx[at] = s.add_dx != 0 ? dx[at] + d : d;
    }
  }
}

template <class S>
std::vector<OpShape> fwd_test_shapes(DType dtype) {
  return pack_all<S>(dtype,
                     {{.rows = 1, .cols = 1}, {.rows = 5, .cols = 37}, {.rows = 150, .cols = 768}});
}
template <class S>
std::vector<OpShape> bwd_test_shapes(DType dtype) {
  return pack_all<S>(dtype, {{.rows = 1, .cols = 3, .add_dx = 0},
                             {.rows = 5, .cols = 37, .accumulate = 1},
                             {.rows = 150, .cols = 260, .add_dx = 0}});
}
template <class S>
std::vector<OpShape> norm_bench_shapes(DType dtype) {
  return pack_all<S>(
      dtype,
      {{.rows = 256, .cols = 768}, {.rows = 8192, .cols = 4096}, {.rows = 16384, .cols = 4096}});
}
template <class S>
void validate_fwd(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  const std::string_view op = info_of(S::id).name;
  require_at_least(op, "cols", s.cols, 1);
  STEPMARK_REQUIRE(s.eps >= 0, "op {}: eps={} must not be negative", op, s.eps);
}
template <class S>
void validate_bwd(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  const std::string_view op = info_of(S::id).name;
  require_at_least(op, "cols", s.cols, 1);
  require_flag(op, "add_dx", s.add_dx);
  require_flag(op, "accumulate", s.accumulate);
}
template <class S>
double tolerance(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  return sum_tolerance(shape.dtype, std::max(s.rows, s.cols));
}
template <class S, int kPerElement>
double flops(const OpShape& shape) {
  return kPerElement * static_cast<double>(all<S>(shape));
}

}  // namespace

const OpInfo& op_info_layernorm_fwd() {
  using S = LayerNormFwdShape;
  static const OpInfo info = described<S>(
      {.formula = "y = (x - mean) rstd gamma + beta, rstd = 1/sqrt(var + eps), var biased",
       .source = "Ba et al., arXiv 1607.06450, equation 4",
       .operands = {reads("x", all<S>), reads("gamma", cols<S>), reads("beta", cols<S>),
                    writes("y", all<S>), writes("mean", rows<S>, DTypeRule::f32),
                    writes("rstd", rows<S>, DTypeRule::f32)},
       .flops = flops<S, 8>,
       .tolerance = tolerance<S>,
       .reference = on_operands<S>([](const S& s, Operands x) { layernorm_fwd_reference(s, x); }),
       .test_shapes = fwd_test_shapes<S>,
       .bench_shapes = norm_bench_shapes<S>,
       .validate = validate_fwd<S>});
  return info;
}

const OpInfo& op_info_layernorm_bwd() {
  using S = LayerNormBwdShape;
  static const OpInfo info = described<S>(
      {.formula = "dx [+]= rstd (g dy - mean(g dy) - xhat mean(g dy xhat)), "
                  "dgamma [+]= sum_rows dy xhat, dbeta [+]= sum_rows dy",
       .source = "derivative of layernorm_fwd",
       .operands = {reads("dy", all<S>), reads("x", all<S>), reads("gamma", cols<S>),
                    reads("mean", rows<S>, DTypeRule::f32), reads("rstd", rows<S>, DTypeRule::f32),
                    adds_dx("dx", all<S>), accumulates("dgamma", cols<S>, DTypeRule::f32),
                    accumulates("dbeta", cols<S>, DTypeRule::f32)},
       .flops = flops<S, 16>,
       .tolerance = tolerance<S>,
       .reference = on_operands<S>([](const S& s, Operands x) { layernorm_bwd_reference(s, x); }),
       .test_shapes = bwd_test_shapes<S>,
       .bench_shapes = norm_bench_shapes<S>,
       .validate = validate_bwd<S>,
       .prepare = on_operands<S>([](const S& s, Operands x) {  // the statistics of x
         std::vector<double> gamma(s.cols), beta(s.cols), y(s.rows * s.cols);
         const std::span<double> forward[] = {x[1], gamma, beta, y, x[3], x[4]};
         layernorm_fwd_reference({.rows = s.rows, .cols = s.cols}, forward);
       })});
  return info;
}

const OpInfo& op_info_rmsnorm_fwd() {
  using S = RmsNormFwdShape;
  static const OpInfo info = described<S>(
      {.formula = "y = x rstd gamma, rstd = 1/sqrt(mean(x^2) + eps)",
       .source = "Zhang & Sennrich, arXiv 1910.07467, equation 4",
       .operands = {reads("x", all<S>), reads("gamma", cols<S>), writes("y", all<S>),
                    writes("rstd", rows<S>, DTypeRule::f32)},
       .flops = flops<S, 4>,
       .tolerance = tolerance<S>,
       .reference = on_operands<S>([](const S& s, Operands x) { rmsnorm_fwd_reference(s, x); }),
       .test_shapes = fwd_test_shapes<S>,
       .bench_shapes = norm_bench_shapes<S>,
       .validate = validate_fwd<S>});
  return info;
}

const OpInfo& op_info_rmsnorm_bwd() {
  using S = RmsNormBwdShape;
  static const OpInfo info = described<S>(
      {.formula = "dx [+]= rstd (g dy - xhat mean(g dy xhat)), dgamma [+]= sum_rows dy xhat",
       .source = "derivative of rmsnorm_fwd",
       .operands = {reads("dy", all<S>), reads("x", all<S>), reads("gamma", cols<S>),
                    reads("rstd", rows<S>, DTypeRule::f32), adds_dx("dx", all<S>),
                    accumulates("dgamma", cols<S>, DTypeRule::f32)},
       .flops = flops<S, 12>,
       .tolerance = tolerance<S>,
       .reference = on_operands<S>([](const S& s, Operands x) { rmsnorm_bwd_reference(s, x); }),
       .test_shapes = bwd_test_shapes<S>,
       .bench_shapes = norm_bench_shapes<S>,
       .validate = validate_bwd<S>,
       .prepare = on_operands<S>([](const S& s, Operands x) {
         std::vector<double> gamma(s.cols), y(s.rows * s.cols);
         const std::span<double> forward[] = {x[1], gamma, y, x[3]};
         rmsnorm_fwd_reference({.rows = s.rows, .cols = s.cols}, forward);
       })});
  return info;
}

}  // namespace stepmark
