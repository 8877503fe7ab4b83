// SPDX-License-Identifier: Apache-2.0
// Facts, double references and shapes of GEMM and of the bias gradient; fused forms are in
// gemm_fused.cpp. Benchmark shapes are the layers of GPT-2 124M and Llama 3 8B, and squares for a
// device's peak.
#include "kernels/ops/gemm.h"

#include "kernels/ops/bench_sizes.h"
#include "kernels/ops/matrix_operands.h"
#include "kernels/ops/registry.h"

namespace stepmark {
namespace {

void gemm_reference(const GemmShape& g, Operands x) {
  const auto a = x[0], b = x[1], bias = x[2], c = x[3];
  for (std::int64_t i = 0; i < g.m; ++i) {
    for (std::int64_t j = 0; j < g.n; ++j) {
      double sum = g.bias != 0 ? bias[j] : 0.0;
      for (std::int64_t l = 0; l < g.k; ++l) {
        sum += a[g.trans_a != 0 ? l * g.m + i : i * g.k + l] *
               b[g.trans_b != 0 ? j * g.k + l : l * g.n + j];
      }
      double& out = c[i * g.n + j];
      out = g.accumulate != 0 ? out + sum : sum;
    }
  }
}

void bias_grad_reference(const BiasGradShape& s, Operands x) {
  const auto in = x[0], out = x[1];
  for (std::int64_t j = 0; j < s.n; ++j) {
    double sum = s.accumulate != 0 ? out[j] : 0.0;
    for (std::int64_t i = 0; i < s.m; ++i) sum += in[i * s.n + j];
    out[j] = sum;
  }
}

std::vector<OpShape> gemm_test_shapes(DType dtype) {
  std::vector<OpShape> shapes;
  for (const std::int64_t flags : {0, 1, 2, 3}) {  // bit 0: trans_a, bit 1: trans_b
    for (const std::int64_t extra : {0, 1, 2, 3, 4}) {
      shapes.push_back(pack(GemmShape{.m = 13,
                                      .n = 37,
                                      .k = 29,
                                      .trans_a = flags & 1,
                                      .trans_b = flags >> 1,
                                      .bias = extra & 1,
                                      .accumulate = (extra >> 1) & 1,
                                      .out_f32 = extra >> 2},
                            dtype));
    }
  }
  for (const GemmShape& g : {GemmShape{.m = 1, .n = 1, .k = 1}, GemmShape{.m = 1, .n = 65, .k = 7},
                             GemmShape{.m = 130, .n = 3, .k = 257, .bias = 1}}) {
    shapes.push_back(pack(g, dtype));
  }
  return shapes;
}

// Forward GEMM and both gradients of a linear layer.
void add_linear(std::vector<OpShape>& shapes, DType dtype, std::int64_t tokens,
                const bench::Linear& layer) {
  const auto& [in, out] = layer;
  const GemmShape forward{.m = tokens, .n = out, .k = in, .trans_b = 1};
  const GemmShape input_grad{.m = tokens, .n = in, .k = out};
  const GemmShape weight_grad{
      .m = out, .n = in, .k = tokens, .trans_a = 1, .accumulate = 1, .out_f32 = 1};
  for (const GemmShape& g : {forward, input_grad, weight_grad}) shapes.push_back(pack(g, dtype));
}

// GPT-2 124M at 256 tokens: the four projections and the tied head. Llama 3 8B at 8192: a layer,
// and the head. Squares of two sizes: what a device's peak is measured with.
std::vector<OpShape> gemm_bench_shapes(DType dtype) {
  std::vector<OpShape> shapes{pack(GemmShape{.m = 2048, .n = 2048, .k = 2048}, dtype),
                              pack(GemmShape{.m = 8192, .n = 8192, .k = 8192}, dtype)};
  for (const bench::Linear& layer :
       {bench::Linear{768, 2304}, bench::Linear{768, 768}, bench::Linear{768, 3072},
        bench::Linear{3072, 768}, bench::Linear{768, 50304}}) {  // 50257 as padded on GPUs
    add_linear(shapes, dtype, 256, layer);
  }
  for (const bench::Linear& layer : bench::kLayer) {
    add_linear(shapes, dtype, bench::kTokens, layer);
  }
  add_linear(shapes, dtype, bench::kTokens, {bench::kHidden, bench::kVocab});
  return shapes;
}

void validate_gemm(const GemmShape& g) {
  require_flag("gemm", "trans_a", g.trans_a);
  require_flag("gemm", "trans_b", g.trans_b);
  require_flag("gemm", "bias", g.bias);
  require_flag("gemm", "accumulate", g.accumulate);
  require_flag("gemm", "out_f32", g.out_f32);
}

}  // namespace

const OpInfo& op_info_gemm() {
  using S = GemmShape;
  static const OpInfo info = described<S>(
      {.formula = "c[i,j] = sum_l op(a)[i,l] op(b)[l,j] + bias[j] [+ c[i,j]]",
       .source = "BLAS Level 3 xGEMM (Dongarra et al., ACM TOMS 16(1), 1990)",
       .operands = {reads("a", of_dims<&S::m, &S::k>), reads("b", of_dims<&S::k, &S::n>),
                    reads("bias",
                          on<S>([](const S& s) { return s.bias != 0 ? s.n : std::int64_t{0}; })),
                    accumulates("c", of_dims<&S::m, &S::n>, DTypeRule::out_f32_flag)},
       .flops = on<S>([](const S& s) {
         return 2.0 * static_cast<double>(s.m) * static_cast<double>(s.n) *
                static_cast<double>(s.k);
       }),
       .tolerance = [](const OpShape& s) { return sum_tolerance(s.dtype, unpack<GemmShape>(s).k); },
       .reference = on_operands<S>([](const S& s, Operands x) { gemm_reference(s, x); }),
       .test_shapes = gemm_test_shapes,
       .bench_shapes = gemm_bench_shapes,
       .validate = on<S>([](const S& s) { validate_gemm(s); }),
       .unit = MathUnit::matrix});
  return info;
}

const OpInfo& op_info_bias_grad() {
  using S = BiasGradShape;
  static const OpInfo info = described<S>(
      {.formula = "out[j] [+]= sum_i x[i,j]",
       .source = "gradient of a row vector added to every row",
       .operands = {reads("x", of_dims<&S::m, &S::n>),
                    accumulates("out", of_dims<&S::n>, DTypeRule::f32)},
       .flops = on<S>([](const S& s) { return static_cast<double>(s.m * s.n); }),
       .tolerance =
           [](const OpShape& s) { return sum_tolerance(s.dtype, unpack<BiasGradShape>(s).m); },
       .reference = on_operands<S>([](const S& s, Operands x) { bias_grad_reference(s, x); }),
       .test_shapes =
           shapes<S>({{.m = 1, .n = 1}, {.m = 7, .n = 33, .accumulate = 1}, {.m = 131, .n = 2311}}),
       .bench_shapes = shapes<S>({{.m = 256, .n = 3072},
                                  {.m = 8192, .n = 4096},
                                  {.m = bench::kTokens, .n = bench::kQkv},
                                  {.m = bench::kTokens, .n = 2 * bench::kFfn}}),
       .validate =
           on<S>([](const S& s) { require_flag("bias_grad", "accumulate", s.accumulate); })});
  return info;
}

}  // namespace stepmark
