// SPDX-License-Identifier: Apache-2.0
// GEMMs go to cuBLASLt, with the pass that follows folded in where it can; else they are
// a GEMM and a pass of ours, and where it cannot even multiply, our plain kernel.
#include "kernels/ops/gemm.h"

#include "kernels/cuda/engine_note.h"
#include "kernels/cuda/gemm/cublaslt_matmul.h"
#include "kernels/cuda/gemm/gemm_epilogue.h"
#include "kernels/cuda/gemm/gemm_form.h"
#include "kernels/cuda/gemm/gemm_plain.h"

namespace stepmark::cuda {
namespace {

// Takes the row-major GEMM as the library's D = op(B) op(A): D (n, m) is c (m, n).
Matmul swapped(const Gemm& p, cublasLtEpilogue_t epilogue) {
  return {.m = p.n,
          .n = p.m,
          .k = p.k,
          .a = p.in,
          .b = p.in,
          .d = p.out,
          .trans_a = p.trans_b,
          .trans_b = p.trans_a,
          .accumulate = p.accumulate,
          .epilogue = epilogue};
}

// The GEMM as one call of the library, or nothing.
std::optional<Planned> by_library(const Gemm& p, const void* a, const void* b, void* c,
                                  cublasLtEpilogue_t epilogue, const void* bias, void* aux,
                                  KernelContext& context) {
  static_cast<void>(cublaslt());  // missing is an error, also where it would not be used
  if (p.k == 0) return {};
  // The library's rule for the operand of GELU.
  if (aux != nullptr && (p.n % 8 != 0 || reinterpret_cast<std::uintptr_t>(aux) % 16 != 0)) {
    return {};
  }
  // Descriptors hold one pointer for biases that are read and those that are written.
  const MatmulOperands x{.a = b, .b = a, .d = c, .bias = const_cast<void*>(bias), .aux = aux};
  const auto plan = plan_matmul(swapped(p, epilogue), x, context);
  if (!plan) return {};
  return Planned{[plan = *plan](cudaStream_t stream) { plan.enqueue(stream); }, plan->engine()};
}

Planned then(Planned first, Enqueue second, const char* name) {
  return {[one = std::move(first.enqueue), two = std::move(second)](cudaStream_t stream) {
            one(stream);
            two(stream);
          },
          first.engine + " + " + name, first.refused};
}

// The GEMM of an op whose operands and result have one type.
template <class S>
Gemm gemm_of(const S& g, DType dtype) {
  return {.m = g.m,
          .n = g.n,
          .k = g.k,
          .trans_a = g.trans_a != 0,
          .trans_b = g.trans_b != 0,
          .in = dtype,
          .out = dtype};
}

// A sum over nothing is no GEMM.
std::string refusal_of(const Gemm& p) {
  return p.k == 0 ? "" : "cuBLASLt " + cublaslt().version + " has no algorithm for such operands";
}

// c = op(a) op(b) + bias [+ c]; bias, of the operands' type, may be null.
Planned plan_gemm(const Gemm& p, const void* a, const void* b, const void* bias, void* c,
                  KernelContext& context) {
  if (bias != nullptr && p.in == p.out) {
    auto fused = by_library(p, a, b, c, CUBLASLT_EPILOGUE_BIAS, bias, nullptr, context);
    if (fused) return {std::move(fused->enqueue), fused->engine + " epilogue=bias"};
  }
  auto gemm = by_library(p, a, b, c, CUBLASLT_EPILOGUE_DEFAULT, nullptr, nullptr, context);
  if (!gemm) return {plain_gemm(p, a, b, bias, c), "own kernel", refusal_of(p)};
  if (bias == nullptr) return *std::move(gemm);
  return then(*std::move(gemm), add_bias(p.in, p.out, p.m, p.n, bias, c, context), "bias");
}

Enqueue noted(const OpShape& shape, Planned planned) {
  note_engine(shape, {.engine = std::move(planned.engine), .refused = std::move(planned.refused)});
  return std::move(planned.enqueue);
}

Enqueue nothing() {
  return [](cudaStream_t) {};
}

}  // namespace

Enqueue prepare_gemm(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto g = unpack<GemmShape>(shape);
  if (g.m == 0 || g.n == 0) return nothing();
  Gemm p = gemm_of(g, shape.dtype);
  p.accumulate = g.accumulate != 0;
  if (g.out_f32 != 0) p.out = DType::f32;
  const void* bias = g.bias != 0 ? operands[2] : nullptr;
  return noted(shape, plan_gemm(p, operands[0], operands[1], bias, operands[3], context));
}

Enqueue prepare_gemm_gelu(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto g = unpack<GemmGeluShape>(shape);
  if (g.m == 0 || g.n == 0) return nothing();
  const Gemm p = gemm_of(g, shape.dtype);
  const auto fused = [&](void* const* x) {
    const void* bias = g.bias != 0 ? x[2] : nullptr;
    const auto epilogue =
        bias != nullptr ? CUBLASLT_EPILOGUE_GELU_AUX_BIAS : CUBLASLT_EPILOGUE_GELU_AUX;
    auto planned = by_library(p, x[0], x[1], x[4], epilogue, bias, x[3], context);
    if (planned)
      planned->engine += bias != nullptr ? " epilogue=gelu_aux_bias" : " epilogue=gelu_aux";
    return planned;
  };
  const auto unfused = [&](void* const* x) -> std::optional<Planned> {
    const void* bias = g.bias != 0 ? x[2] : nullptr;
    return then(plan_gemm(p, x[0], x[1], bias, x[3], context),
                apply_gelu(shape.dtype, g.m * g.n, x[3], x[4], context), "gelu");
  };
  return noted(shape, faster_form(shape, operands, context, fused, unfused));
}

Enqueue prepare_gemm_dgelu(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto g = unpack<GemmDgeluShape>(shape);
  if (g.m == 0 || g.n == 0) return nothing();
  const Gemm p = gemm_of(g, shape.dtype);
  const auto fused = [&](void* const* x) {
    auto planned = by_library(p, x[0], x[1], x[3], CUBLASLT_EPILOGUE_DGELU, nullptr, x[2], context);
    if (planned) planned->engine += " epilogue=dgelu";
    return planned;
  };
  const auto unfused = [&](void* const* x) -> std::optional<Planned> {
    return then(plan_gemm(p, x[0], x[1], nullptr, x[3], context),
                apply_gelu_slope(shape.dtype, g.m * g.n, x[2], x[3], context), "dgelu");
  };
  return noted(shape, faster_form(shape, operands, context, fused, unfused));
}

Enqueue prepare_gemm_bias_grad(const OpShape& shape, void* const* operands,
                               KernelContext& context) {
  const auto g = unpack<GemmBiasGradShape>(shape);
  if (g.m == 0) return nothing();
  const auto column_sums = [&](void* const* x) {
    return sum_columns(shape.dtype, g.k, g.m, g.accumulate != 0, x[0], static_cast<float*>(x[3]),
                       context);
  };
  if (g.n == 0) return column_sums(operands);
  const Gemm p{.m = g.m,
               .n = g.n,
               .k = g.k,
               .trans_a = true,
               .accumulate = g.accumulate != 0,
               .in = shape.dtype,
               .out = DType::f32};
  // The library's B is dy. It writes the sums over k; it does not add to them.
  const auto fused = [&](void* const* x) -> std::optional<Planned> {
    if (g.accumulate != 0) return {};
    auto planned =
        by_library(p, x[0], x[1], x[2], CUBLASLT_EPILOGUE_BGRADB, x[3], nullptr, context);
    if (planned) planned->engine += " epilogue=bgradb";
    return planned;
  };
  const auto unfused = [&](void* const* x) -> std::optional<Planned> {
    return then(plan_gemm(p, x[0], x[1], nullptr, x[2], context), column_sums(x), "bias_grad");
  };
  return noted(shape, faster_form(shape, operands, context, fused, unfused));
}

Enqueue prepare_bias_grad(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<BiasGradShape>(shape);
  return sum_columns(shape.dtype, s.m, s.n, s.accumulate != 0, operands[0],
                     static_cast<float*>(operands[1]), context);
}

}  // namespace stepmark::cuda
