// SPDX-License-Identifier: Apache-2.0
// GEMM is one call of OpenBLAS per thread (kernels/host/sgemm.h): measured at GPT-2's sizes with
// 256 tokens, all forms (NN, NT, TN) then run within 12 % of its best square rate, so nothing is
// gained by computing transposes ourselves. A bias is written to c first and added to, which costs
// what OpenBLAS would spend on clearing c. bf16 operands are widened to fp32 scratch. The fused
// forms are their parts one after the other: OpenBLAS has no epilogue to put the second one into.
#include "kernels/ops/gemm.h"

#include <algorithm>

#include "kernels/host/number.h"
#include "kernels/host/sgemm.h"
#include "kernels/host/table.h"
#include "kernels/ops/activation.h"

namespace stepmark {
namespace {

using host::load;

constexpr std::int64_t kSumRows = 64;  // rows per partial sum of bias_grad
constexpr std::int64_t kStrip = 1024;  // columns summed at a time: 4 KiB of a row

// c = bias rows, or c += bias rows.
void put_bias(const GemmShape& g, const float* bias, float* c) {
  host::parallel_each(g.m, g.n, [=](std::int64_t i) {
    float* row = c + i * g.n;
    if (g.accumulate != 0) {
#pragma omp simd
      for (std::int64_t j = 0; j < g.n; ++j) row[j] += bias[j];
    } else {
      std::copy_n(bias, g.n, row);
    }
  });
}

void gemm_f32(const GemmShape& g, const float* a, const float* b, const float* bias, float* c) {
  if (g.m == 0 || g.n == 0) return;
  if (g.bias != 0) put_bias(g, bias, c);
  const bool add = g.bias != 0 || g.accumulate != 0;
  const bool trans_a = g.trans_a != 0, trans_b = g.trans_b != 0;
  host::sgemm(
      g.m, g.n, g.k, 1.0F, {.data = a, .stride = trans_a ? g.m : g.k, .transposed = trans_a},
      {.data = b, .stride = trans_b ? g.k : g.n, .transposed = trans_b}, add ? 1.0F : 0.0F, c, g.n);
}

void gemm_bf16(const GemmShape& g, void* const* operands) {
  const auto a = host::widened(host::input<bf16>(operands, 0), g.m * g.k);
  const auto b = host::widened(host::input<bf16>(operands, 1), g.k * g.n);
  const auto bias = host::widened(host::input<bf16>(operands, 2), g.bias != 0 ? g.n : 0);
  if (g.out_f32 != 0) {
    gemm_f32(g, a.get(), b.get(), bias.get(), host::output<float>(operands, 3));
    return;
  }
  bf16* out = host::output<bf16>(operands, 3);
  const auto c = g.accumulate != 0 ? host::widened(out, g.m * g.n) : host::make_scratch(g.m * g.n);
  gemm_f32(g, a.get(), b.get(), bias.get(), c.get());
  host::convert(c.get(), out, g.m * g.n);
}

// Columns [begin, end), at most kStrip, of the sum over rows, added in groups of kSumRows.
template <class T>
void sum_columns(const BiasGradShape& s, const T* x, float* out, std::int64_t begin,
                 std::int64_t end) {
  const std::int64_t width = end - begin;
  float group[kStrip];
  if (s.accumulate == 0) std::fill(out + begin, out + end, 0.0F);
  for (std::int64_t first = 0; first < s.m; first += kSumRows) {
    std::fill_n(group, width, 0.0F);
    for (std::int64_t i = first; i < std::min(s.m, first + kSumRows); ++i) {
      const T* row = x + i * s.n + begin;
#pragma omp simd
      for (std::int64_t j = 0; j < width; ++j) group[j] += load(row[j]);
    }
#pragma omp simd
    for (std::int64_t j = 0; j < width; ++j) out[begin + j] += group[j];
  }
}

}  // namespace

void host_gemm(const OpShape& shape, void* const* operands) {
  const auto g = unpack<GemmShape>(shape);
  if (shape.dtype == DType::bf16) {
    gemm_bf16(g, operands);
  } else {
    gemm_f32(g, host::input<float>(operands, 0), host::input<float>(operands, 1),
             host::input<float>(operands, 2), host::output<float>(operands, 3));
  }
}

void host_bias_grad(const OpShape& shape, void* const* operands) {
  const auto s = unpack<BiasGradShape>(shape);
  host::with_type(shape.dtype, [&]<class T>(T) {
    const T* x = host::input<T>(operands, 0);
    float* out = host::output<float>(operands, 1);
    host::parallel_ranges<host::kLineGrain>(
        s.n, s.m * s.n, [=](std::int64_t begin, std::int64_t end) {
          for (std::int64_t strip = begin; strip < end; strip += kStrip) {
            sum_columns(s, x, out, strip, std::min(end, strip + kStrip));
          }
        });
  });
}

void host_gemm_gelu(const OpShape& shape, void* const* operands) {
  const auto s = unpack<GemmGeluShape>(shape);
  const GemmShape g{
      .m = s.m, .n = s.n, .k = s.k, .trans_a = s.trans_a, .trans_b = s.trans_b, .bias = s.bias};
  host_gemm(pack(g, shape.dtype), operands);  // a, b, bias, pre
  host_gelu_fwd(pack(GeluFwdShape{.elements = s.m * s.n}, shape.dtype), operands + 3);  // pre, c
}

void host_gemm_dgelu(const OpShape& shape, void* const* operands) {
  const auto s = unpack<GemmDgeluShape>(shape);
  const GemmShape g{.m = s.m, .n = s.n, .k = s.k, .trans_a = s.trans_a, .trans_b = s.trans_b};
  void* const gemm_operands[] = {operands[0], operands[1], nullptr, operands[3]};
  host_gemm(pack(g, shape.dtype), gemm_operands);
  void* const slope[] = {operands[3], operands[2], operands[3]};
  host_gelu_bwd(pack(GeluBwdShape{.elements = s.m * s.n}, shape.dtype), slope);
}

void host_gemm_bias_grad(const OpShape& shape, void* const* operands) {
  const auto s = unpack<GemmBiasGradShape>(shape);
  const GemmShape g{
      .m = s.m, .n = s.n, .k = s.k, .trans_a = 1, .accumulate = s.accumulate, .out_f32 = 1};
  void* const gemm_operands[] = {operands[0], operands[1], nullptr, operands[2]};
  host_gemm(pack(g, shape.dtype), gemm_operands);
  void* const sums[] = {operands[0], operands[3]};
  host_bias_grad(pack(BiasGradShape{.m = s.k, .n = s.m, .accumulate = s.accumulate}, shape.dtype),
                 sums);
}

}  // namespace stepmark
