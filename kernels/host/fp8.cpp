// SPDX-License-Identifier: Apache-2.0
// CPUs have no 8-bit floating point: casts go through core's conversions, and a GEMM widens both
// operands, scales applied, and is one SGEMM. Right, not fast.
#include "kernels/ops/fp8.h"

#include <algorithm>
#include <cmath>

#include "kernels/host/number.h"
#include "kernels/host/sgemm.h"
#include "kernels/host/table.h"

namespace stepmark {
namespace {

using host::load;

void narrow(f8e4m3& to, float x) { to = to_f8e4m3(x); }
void narrow(f8e5m2& to, float x) { to = to_f8e5m2(x); }

template <class F>
void with_fp8(bool e5m2, F f) {
  if (e5m2) {
    f(f8e5m2{});
  } else {
    f(f8e4m3{});
  }
}

// max(so_far, |x|); a NaN is left out.
float larger(float so_far, float x) { return std::fabs(x) > so_far ? std::fabs(x) : so_far; }

// Rows are cast in parallel and leave their maxima in row_max.
template <class Q, class T>
void cast_rows(const Fp8CastShape& s, const T* x, float scale, Q* q, Q* q_t, float* row_max) {
  host::parallel_each(s.rows, s.cols, [=](std::int64_t r) {
    float largest = 0;
    for (std::int64_t c = 0; c < s.cols; ++c) {
      const float value = load(x[r * s.cols + c]);
      Q& out = q[r * s.cols + c];
      narrow(out, value * scale);
      if (s.transpose != 0) q_t[c * s.rows + r] = out;
      largest = larger(largest, value);
    }
    row_max[r] = largest;
  });
}

template <class Q, class T>
void cast_block(const T* x, Q* q, std::int64_t rows, std::int64_t cols, std::int64_t stride,
                float limit, float* scale_inv) {
  float largest = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < cols; ++c) largest = larger(largest, load(x[r * stride + c]));
  }
  const float inverse = largest > 0 ? largest / limit : 1.0F;
  *scale_inv = inverse;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < cols; ++c) {
      narrow(q[r * stride + c], load(x[r * stride + c]) / inverse);
    }
  }
}

// An operand (rows, k) as fp32 with its scales applied; row_block: rows that share a scale.
template <class Q>
host::Scratch widened(const Q* q, const float* scale_inv, std::int64_t rows, std::int64_t k,
                      bool blockwise, std::int64_t row_block) {
  host::Scratch wide = host::make_scratch(rows * k);
  float* out = wide.get();
  const std::int64_t across = (k + kFp8Block - 1) / kFp8Block;
  host::parallel_each(rows, k, [=](std::int64_t r) {
    for (std::int64_t l = 0; l < k; ++l) {
      const float scale =
          blockwise ? scale_inv[r / row_block * across + l / kFp8Block] : scale_inv[0];
      out[r * k + l] = to_float(q[r * k + l]) * scale;
    }
  });
  return wide;
}

void multiply(const Fp8GemmShape& s, const float* a, const float* b, float* c) {
  host::sgemm(s.m, s.n, s.k, 1.0F, {.data = a, .stride = s.k},
              {.data = b, .stride = s.k, .transposed = true}, s.accumulate != 0 ? 1.0F : 0.0F, c,
              s.n);
}

}  // namespace

void host_fp8_cast(const OpShape& shape, void* const* operands) {
  const auto s = unpack<Fp8CastShape>(shape);
  const float scale = *host::input<float>(operands, 1);
  const host::Scratch row_max = host::make_scratch(s.rows);
  host::with_type(shape.dtype, [&]<class T>(T) {
    with_fp8(s.e5m2 != 0, [&]<class Q>(Q) {
      cast_rows(s, host::input<T>(operands, 0), scale, host::output<Q>(operands, 2),
                host::output<Q>(operands, 3), row_max.get());
    });
  });
  float* amax = host::output<float>(operands, 4);
  for (std::int64_t r = 0; r < s.rows; ++r) *amax = larger(*amax, row_max[r]);
}

void host_fp8_scale(const OpShape& shape, void* const* operands) {
  const auto s = unpack<Fp8ScaleShape>(shape);
  float* history = host::output<float>(operands, 0);
  float largest = 0;
  for (std::int64_t i = 0; i < s.history; ++i) largest = std::max(largest, history[i]);
  const float scale = fp8_max(s.e5m2 != 0) / largest / std::exp2(static_cast<float>(s.margin));
  const bool usable = std::isfinite(scale) && scale > 0;
  *host::output<float>(operands, 1) = usable ? scale : 1.0F;
  *host::output<float>(operands, 2) = usable ? 1.0F / scale : 1.0F;
  std::copy_backward(history, history + s.history - 1, history + s.history);
  history[0] = 0;
}

void host_fp8_block_cast(const OpShape& shape, void* const* operands) {
  const auto s = unpack<Fp8BlockCastShape>(shape);
  const std::int64_t down = (s.rows + s.block_rows - 1) / s.block_rows;
  const std::int64_t across = (s.cols + kFp8Block - 1) / kFp8Block;
  const float limit = fp8_max(s.e5m2 != 0);
  float* scale_inv = host::output<float>(operands, 2);
  host::with_type(shape.dtype, [&]<class T>(T) {
    with_fp8(s.e5m2 != 0, [&]<class Q>(Q) {
      const T* x = host::input<T>(operands, 0);
      Q* q = host::output<Q>(operands, 1);
      host::parallel_each(down, s.block_rows * s.cols, [=](std::int64_t i) {
        const std::int64_t row = i * s.block_rows;
        for (std::int64_t j = 0; j < across; ++j) {
          const std::int64_t at = row * s.cols + j * kFp8Block;
          cast_block(x + at, q + at, std::min(s.block_rows, s.rows - row),
                     std::min(kFp8Block, s.cols - j * kFp8Block), s.cols, limit,
                     scale_inv + i * across + j);
        }
      });
    });
  });
}

void host_fp8_gemm(const OpShape& shape, void* const* operands) {
  const auto s = unpack<Fp8GemmShape>(shape);
  if (s.m == 0 || s.n == 0) return;
  const bool blockwise = s.blockwise != 0;
  host::Scratch a, b;
  with_fp8(s.a_e5m2 != 0, [&]<class Q>(Q) {
    a = widened(host::input<Q>(operands, 0), host::input<float>(operands, 2), s.m, s.k, blockwise,
                1);
  });
  with_fp8(s.b_e5m2 != 0, [&]<class Q>(Q) {
    b = widened(host::input<Q>(operands, 1), host::input<float>(operands, 3), s.n, s.k, blockwise,
                kFp8Block);
  });
  if (shape.dtype == DType::f32 || s.out_f32 != 0) {
    multiply(s, a.get(), b.get(), host::output<float>(operands, 4));
    return;
  }
  bf16* out = host::output<bf16>(operands, 4);
  const auto c = s.accumulate != 0 ? host::widened(out, s.m * s.n) : host::make_scratch(s.m * s.n);
  multiply(s, a.get(), b.get(), c.get());
  host::convert(c.get(), out, s.m * s.n);
}

}  // namespace stepmark
