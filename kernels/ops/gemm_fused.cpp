// SPDX-License-Identifier: Apache-2.0
// GEMMs with a neighbouring elementwise pass or column sum folded in.
#include "kernels/ops/bench_sizes.h"
#include "kernels/ops/gelu_reference.h"
#include "kernels/ops/gemm.h"
#include "kernels/ops/matrix_operands.h"
#include "kernels/ops/registry.h"

namespace stepmark {
namespace {

// (op(a) op(b))[i, j]
template <class S>
double gemm_element(const S& g, std::span<const double> a, std::span<const double> b,
                    std::int64_t i, std::int64_t j) {
  double sum = 0;
  for (std::int64_t l = 0; l < g.k; ++l) {
    sum += a[g.trans_a != 0 ? l * g.m + i : i * g.k + l] *
           b[g.trans_b != 0 ? j * g.k + l : l * g.n + j];
  }
  return sum;
}

void gemm_gelu_reference(const GemmGeluShape& g, Operands x) {
  for (std::int64_t i = 0; i < g.m; ++i) {
    for (std::int64_t j = 0; j < g.n; ++j) {
      const double pre = gemm_element(g, x[0], x[1], i, j) + (g.bias != 0 ? x[2][j] : 0.0);
      x[3][i * g.n + j] = pre;
      x[4][i * g.n + j] = gelu_reference(pre);
    }
  }
}

void gemm_dgelu_reference(const GemmDgeluShape& g, Operands x) {
  for (std::int64_t i = 0; i < g.m; ++i) {
    for (std::int64_t j = 0; j < g.n; ++j) {
      const std::int64_t at = i * g.n + j;
      x[3][at] = gemm_element(g, x[0], x[1], i, j) * gelu_slope_reference(x[2][at]);
    }
  }
}

void gemm_bias_grad_reference(const GemmBiasGradShape& g, Operands x) {
  const auto dy = x[0], in = x[1], dw = x[2], dbias = x[3];
  for (std::int64_t i = 0; i < g.m; ++i) {
    double column = g.accumulate != 0 ? dbias[i] : 0.0;
    for (std::int64_t l = 0; l < g.k; ++l) column += dy[l * g.m + i];
    dbias[i] = column;
    for (std::int64_t j = 0; j < g.n; ++j) {
      double sum = g.accumulate != 0 ? dw[i * g.n + j] : 0.0;
      for (std::int64_t l = 0; l < g.k; ++l) sum += dy[l * g.m + i] * in[l * g.n + j];
      dw[i * g.n + j] = sum;
    }
  }
}

template <class S>
double gemm_flops(const S& g) {
  return 2.0 * static_cast<double>(g.m) * static_cast<double>(g.n) * static_cast<double>(g.k);
}
// Twice: the GEMM is rounded, and once more after the pass that follows it.
template <class S>
double tolerance(const OpShape& shape) {
  return 2.0 * sum_tolerance(shape.dtype, unpack<S>(shape).k);
}
template <class S>
void validate_transposes(std::string_view op, const S& g) {
  require_flag(op, "trans_a", g.trans_a);
  require_flag(op, "trans_b", g.trans_b);
}
template <class S>
std::vector<OpShape> transposed_test_shapes(DType dtype) {
  std::vector<OpShape> shapes;
  for (const std::int64_t flags : {0, 1, 2, 3}) {
    S g{.m = 13, .n = 37, .k = 29, .trans_a = flags & 1, .trans_b = flags >> 1};
    shapes.push_back(pack(g, dtype));
  }
  shapes.push_back(pack(S{.m = 1, .n = 1, .k = 1}, dtype));
  shapes.push_back(pack(S{.m = 64, .n = 96, .k = 48, .trans_b = 1}, dtype));
  return shapes;
}

// GPT-2's MLP at 256 tokens, and one of Llama 3 8B's width at 8192.
constexpr std::int64_t kSmallTokens = 256, kSmallHidden = 768, kSmallFfn = 3072;

}  // namespace

const OpInfo& op_info_gemm_gelu() {
  using S = GemmGeluShape;
  static const OpInfo info = described<S>(
      {.formula = "pre = op(a) op(b) + bias, c = gelu(pre)",
       .source = "gemm followed by gelu_fwd",
       .operands = {reads("a", of_dims<&S::m, &S::k>), reads("b", of_dims<&S::k, &S::n>),
                    reads("bias",
                          on<S>([](const S& s) { return s.bias != 0 ? s.n : std::int64_t{0}; })),
                    writes("pre", of_dims<&S::m, &S::n>), writes("c", of_dims<&S::m, &S::n>)},
       .flops = on<S>([](const S& s) {
         return gemm_flops(s) + 9.0 * static_cast<double>(s.m) * static_cast<double>(s.n);
       }),
       .tolerance = tolerance<S>,
       .reference = on_operands<S>([](const S& s, Operands x) { gemm_gelu_reference(s, x); }),
       .test_shapes =
           [](DType dtype) {
             auto shapes = transposed_test_shapes<S>(dtype);
             for (const std::int64_t trans_b : {0, 1}) {
               const S g{.m = 70, .n = 33, .k = 65, .trans_b = trans_b, .bias = 1};
               shapes.push_back(pack(g, dtype));
             }
             return shapes;
           },
       .bench_shapes = shapes<S>(
           {{.m = kSmallTokens, .n = kSmallFfn, .k = kSmallHidden, .trans_b = 1, .bias = 1},
            {.m = bench::kTokens, .n = bench::kFfn, .k = bench::kHidden, .trans_b = 1, .bias = 1}}),
       .validate = on<S>([](const S& s) {
         validate_transposes("gemm_gelu", s);
         require_flag("gemm_gelu", "bias", s.bias);
       }),
       .unit = MathUnit::matrix});
  return info;
}

const OpInfo& op_info_gemm_dgelu() {
  using S = GemmDgeluShape;
  static const OpInfo info = described<S>(
      {.formula = "c = (op(a) op(b)) * gelu'(pre)",
       .source = "gemm followed by gelu_bwd",
       .operands = {reads("a", of_dims<&S::m, &S::k>), reads("b", of_dims<&S::k, &S::n>),
                    reads("pre", of_dims<&S::m, &S::n>), writes("c", of_dims<&S::m, &S::n>)},
       .flops = on<S>([](const S& s) {
         return gemm_flops(s) + 17.0 * static_cast<double>(s.m) * static_cast<double>(s.n);
       }),
       .tolerance = tolerance<S>,
       .reference = on_operands<S>([](const S& s, Operands x) { gemm_dgelu_reference(s, x); }),
       .test_shapes = transposed_test_shapes<S>,
       .bench_shapes = shapes<S>({{.m = kSmallTokens, .n = kSmallFfn, .k = kSmallHidden},
                                  {.m = bench::kTokens, .n = bench::kFfn, .k = bench::kHidden}}),
       .validate = on<S>([](const S& s) { validate_transposes("gemm_dgelu", s); }),
       .unit = MathUnit::matrix});
  return info;
}

const OpInfo& op_info_gemm_bias_grad() {
  using S = GemmBiasGradShape;
  static const OpInfo info = described<S>(
      {.formula = "dw[i,j] [+]= sum_l dy[l,i] x[l,j], dbias[i] [+]= sum_l dy[l,i]",
       .source = "weight and bias gradient of a linear layer: gemm and bias_grad",
       .operands = {reads("dy", of_dims<&S::k, &S::m>), reads("x", of_dims<&S::k, &S::n>),
                    accumulates("dw", of_dims<&S::m, &S::n>, DTypeRule::f32),
                    accumulates("dbias", of_dims<&S::m>, DTypeRule::f32)},
       .flops = on<S>([](const S& s) {
         return gemm_flops(s) + static_cast<double>(s.k) * static_cast<double>(s.m);
       }),
       .tolerance =
           [](const OpShape& s) { return sum_tolerance(s.dtype, unpack<GemmBiasGradShape>(s).k); },
       .reference = on_operands<S>([](const S& s, Operands x) { gemm_bias_grad_reference(s, x); }),
       .test_shapes = shapes<S>({{.m = 1, .n = 1, .k = 1},
                                 {.m = 37, .n = 13, .k = 29, .accumulate = 1},
                                 {.m = 37, .n = 13, .k = 0},
                                 {.m = 96, .n = 48, .k = 131},
                                 {.m = 64, .n = 80, .k = 256, .accumulate = 1}}),
       .bench_shapes =
           [](DType dtype) {
             std::vector<OpShape> shapes{pack(
                 S{.m = kSmallFfn, .n = kSmallHidden, .k = kSmallTokens, .accumulate = 1}, dtype)};
             for (const auto& [in, out] : bench::kLayer) {
               shapes.push_back(
                   pack(S{.m = out, .n = in, .k = bench::kTokens, .accumulate = 1}, dtype));
             }
             return shapes;
           },
       .validate =
           on<S>([](const S& s) { require_flag("gemm_bias_grad", "accumulate", s.accumulate); }),
       .unit = MathUnit::matrix});
  return info;
}

}  // namespace stepmark
