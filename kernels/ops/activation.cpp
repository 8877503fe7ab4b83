// SPDX-License-Identifier: Apache-2.0
// Facts, tolerances and double references of GELU, SwiGLU and the residual sum; sources are with
// each op.
#include "kernels/ops/activation.h"

#include "kernels/ops/bench_sizes.h"
#include "kernels/ops/gelu_reference.h"
#include "kernels/ops/matrix_operands.h"
#include "kernels/ops/registry.h"

namespace stepmark {
namespace {

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

void swiglu_fwd_reference(const SwigluFwdShape& s, Operands x) {
  for (std::int64_t r = 0; r < s.rows; ++r) {
    for (std::int64_t c = 0; c < s.cols; ++c) {
      const double gate = x[0][2 * r * s.cols + c];
      x[1][r * s.cols + c] = gate * sigmoid(gate) * x[0][(2 * r + 1) * s.cols + c];
    }
  }
}

void swiglu_bwd_reference(const SwigluBwdShape& s, Operands x) {
  const auto dy = x[0], in = x[1], dx = x[2];
  for (std::int64_t r = 0; r < s.rows; ++r) {
    for (std::int64_t c = 0; c < s.cols; ++c) {
      const std::int64_t gate_at = 2 * r * s.cols + c, up_at = gate_at + s.cols;
      const double gate = in[gate_at], up = in[up_at], d = dy[r * s.cols + c];
      const double sg = sigmoid(gate);
      dx[gate_at] = d * up * sg * (1.0 + gate * (1.0 - sg));
      dx[up_at] = d * gate * sg;
    }
  }
}

void residual_reference(const ResidualShape& s, Operands x) {
  for (std::int64_t r = 0; r < s.rows; ++r) {
    for (std::int64_t c = 0; c < s.cols; ++c) {
      const std::int64_t at = r * s.cols + c;
      x[3][at] = x[0][at] + x[1][at] + (s.bias != 0 ? x[2][c] : 0.0);
    }
  }
}

template <class S>
std::vector<OpShape> flat_test_shapes(DType dtype) {
  return pack_all<S>(dtype, {{.elements = 1}, {.elements = 67}, {.elements = 20011}});
}
template <class S>
std::vector<OpShape> flat_bench_shapes(DType dtype) {
  return pack_all<S>(dtype, {{.elements = 256 * 3072},
                             {.elements = 1 << 24},
                             {.elements = bench::kTokens * bench::kFfn}});
}
template <class S>
std::vector<OpShape> row_test_shapes(DType dtype) {
  return pack_all<S>(dtype,
                     {{.rows = 1, .cols = 1}, {.rows = 5, .cols = 37}, {.rows = 67, .cols = 259}});
}
template <class S>
std::vector<OpShape> row_bench_shapes(DType dtype) {
  return pack_all<S>(dtype, {{.rows = 256, .cols = 3072},
                             {.rows = 2048, .cols = 8192},
                             {.rows = bench::kTokens, .cols = bench::kFfn}});
}
template <class S, int kTimes>
std::int64_t row_elements(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  return kTimes * s.rows * s.cols;
}
double tolerance(const OpShape& shape) { return rounding_tolerance(shape.dtype, 16); }

}  // namespace

const OpInfo& op_info_gelu_fwd() {
  using S = GeluFwdShape;
  static const OpInfo info =
      described<S>({.formula = "y = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))",
                    .source = "Hendrycks & Gimpel, arXiv 1606.08415, section 2",
                    .operands = {reads("x", flat<S>), writes("y", flat<S>)},
                    .flops = [](const OpShape& s) { return 9.0 * static_cast<double>(flat<S>(s)); },
                    .tolerance = tolerance,
                    .reference = on_operands<S>([](const S& s, Operands x) {
                      for (std::int64_t i = 0; i < s.elements; ++i)
                        x[1][i] = gelu_reference(x[0][i]);
                    }),
                    .test_shapes = flat_test_shapes<S>,
                    .bench_shapes = flat_bench_shapes<S>});
  return info;
}

const OpInfo& op_info_gelu_bwd() {
  using S = GeluBwdShape;
  static const OpInfo info = described<S>(
      {.formula =
           "dx = dy (1+t)/2 + dy x/2 (1-t^2) sqrt(2/pi) (1 + 3*0.044715 x^2), t as in gelu_fwd",
       .source = "derivative of gelu_fwd",
       .operands = {reads("dy", flat<S>), reads("x", flat<S>), writes("dx", flat<S>)},
       .flops = [](const OpShape& s) { return 17.0 * static_cast<double>(flat<S>(s)); },
       .tolerance = tolerance,
       .reference = on_operands<S>([](const S& s, Operands x) {
         for (std::int64_t i = 0; i < s.elements; ++i)
           x[2][i] = x[0][i] * gelu_slope_reference(x[1][i]);
       }),
       .test_shapes = flat_test_shapes<S>,
       .bench_shapes = flat_bench_shapes<S>});
  return info;
}

const OpInfo& op_info_swiglu_fwd() {
  using S = SwigluFwdShape;
  static const OpInfo info = described<S>(
      {.formula = "y = gate * sigmoid(gate) * up, x = [gate | up]",
       .source = "Shazeer, arXiv 2002.05202, equation 6 (beta = 1)",
       .operands = {reads("x", row_elements<S, 2>), writes("y", row_elements<S, 1>)},
       .flops = [](const OpShape& s) { return 5.0 * static_cast<double>(row_elements<S, 1>(s)); },
       .tolerance = tolerance,
       .reference = on_operands<S>([](const S& s, Operands x) { swiglu_fwd_reference(s, x); }),
       .test_shapes = row_test_shapes<S>,
       .bench_shapes = row_bench_shapes<S>});
  return info;
}

const OpInfo& op_info_swiglu_bwd() {
  using S = SwigluBwdShape;
  static const OpInfo info = described<S>(
      {.formula = "dgate = dy up s (1 + gate (1 - s)), dup = dy gate s, s = sigmoid(gate)",
       .source = "derivative of swiglu_fwd",
       .operands = {reads("dy", row_elements<S, 1>), reads("x", row_elements<S, 2>),
                    writes("dx", row_elements<S, 2>)},
       .flops = [](const OpShape& s) { return 11.0 * static_cast<double>(row_elements<S, 1>(s)); },
       .tolerance = tolerance,
       .reference = on_operands<S>([](const S& s, Operands x) { swiglu_bwd_reference(s, x); }),
       .test_shapes = row_test_shapes<S>,
       .bench_shapes = row_bench_shapes<S>});
  return info;
}

const OpInfo& op_info_residual() {
  using S = ResidualShape;
  static const OpInfo info = described<S>(
      {.formula = "out[i,j] = a[i,j] + b[i,j] [+ bias[j]]",
       .source = "He et al., arXiv 1512.03385, equation 1",
       .operands = {reads("a", row_elements<S, 1>), reads("b", row_elements<S, 1>),
                    reads("bias",
                          on<S>([](const S& s) { return s.bias != 0 ? s.cols : std::int64_t{0}; })),
                    writes("out", row_elements<S, 1>)},
       .flops = on<S>([](const S& s) {
         return static_cast<double>(s.rows * s.cols) * (s.bias != 0 ? 2.0 : 1.0);
       }),
       .tolerance = tolerance,
       .reference = on_operands<S>([](const S& s, Operands x) { residual_reference(s, x); }),
       .test_shapes = shapes<S>(
           {{.rows = 1, .cols = 1}, {.rows = 5, .cols = 37, .bias = 1}, {.rows = 67, .cols = 259}}),
       .bench_shapes = shapes<S>({{.rows = 256, .cols = 768, .bias = 1},
                                  {.rows = 4096, .cols = 4096},
                                  {.rows = bench::kTokens, .cols = bench::kHidden}}),
       .validate = on<S>([](const S& s) { require_flag("residual", "bias", s.bias); })});
  return info;
}

}  // namespace stepmark
