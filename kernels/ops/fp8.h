// SPDX-License-Identifier: Apache-2.0
// 8-bit floating point: casts with scales, and the GEMM of scaled operands. An fp8
// operand is e4m3 (largest 448), or e5m2 (largest 57344) when its dim says 1; conversion as in
// core/dtype.h (OCP, to nearest even, saturating, NaN stays). The shape's dtype is that of the wide
// operands. A scale multiplies on the way to fp8; its inverse is stored for the GEMM.
#pragma once

#include "kernels/op.h"

namespace stepmark {

inline constexpr std::int64_t kFp8Block = 128;  // elements along k that share a scale

[[nodiscard]] constexpr float fp8_max(bool e5m2) { return e5m2 ? 57344.0F : 448.0F; }

// q (rows, cols) = fp8(x * scale), the product in fp32; q_t (cols, rows) its transpose;
// amax = max(amax, max |x|), NaN left out. Operands: x, scale (fp32, 1), q (fp8),
// q_t (fp8; absent unless transpose), amax (fp32, 1; inout).
struct Fp8CastShape {
  std::int64_t rows = 0, cols = 0, e5m2 = 0, transpose = 0;
  STEPMARK_OP_SHAPE(fp8_cast, rows, cols, e5m2, transpose);
};

// Delayed scaling: largest = max of the history; scale = fp8_max / largest / 2^margin, 1 when
// largest is 0 (or not finite, or so small that scale is not); scale_inv = 1 / scale. Then the
// history moves one place towards its end and [0], which fp8_cast's amax of the next step points
// to, becomes 0. Operands: amax_history (fp32, history; inout), scale (fp32, 1),
// scale_inv (fp32, 1).
struct Fp8ScaleShape {
  std::int64_t history = 0, e5m2 = 0;
  double margin = 0;
  STEPMARK_OP_SHAPE(fp8_scale, history, e5m2, margin);
};

// Scales by blocks of block_rows (1 or 128) rows and kFp8Block columns, smaller at the edges:
// scale_inv = amax / fp8_max (1 when amax is 0), q = fp8(x / scale_inv). Operands: x, q (fp8),
// scale_inv (fp32; ceil(rows / block_rows), ceil(cols / 128)).
struct Fp8BlockCastShape {
  std::int64_t rows = 0, cols = 0, e5m2 = 0, block_rows = 1;
  STEPMARK_OP_SHAPE(fp8_block_cast, rows, cols, e5m2, block_rows);
};

// c (m, n) [+]= sum_l a[i, l] b[j, l] sa sb: both operands with k innermost, the only layout that
// Hopper's fp8 tensor cores take; k and n are multiples of 16 (their rows are read 16 bytes at a
// time). sa, sb: a_scale_inv[0], b_scale_inv[0]; when blockwise a_scale_inv[i, l / 128] and
// b_scale_inv[j / 128, l / 128]. Not both operands e5m2. out_f32: c is fp32. A backend must not
// keep the running sum in fewer bits than fp32 (cuBLASLt's fast accumulation stays off).
// Operands: a (m, k; fp8), b (n, k; fp8), a_scale_inv (fp32; 1, or m x ceil(k / 128)),
// b_scale_inv (fp32; 1, or ceil(n / 128) x ceil(k / 128)), c.
struct Fp8GemmShape {
  std::int64_t m = 0, n = 0, k = 0, a_e5m2 = 0, b_e5m2 = 0, out_f32 = 0, accumulate = 0,
               blockwise = 0;
  STEPMARK_OP_SHAPE(fp8_gemm, m, n, k, a_e5m2, b_e5m2, out_f32, accumulate, blockwise);
};

}  // namespace stepmark
