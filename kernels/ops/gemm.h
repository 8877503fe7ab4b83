// SPDX-License-Identifier: Apache-2.0
// Dense GEMMs, and those with the neighbouring pass over c or dy folded in. GEMM's
// operands: a, b, bias, c.
#pragma once

#include "kernels/op.h"

namespace stepmark {

// c (m, n) = op(a) op(b) + bias (n) [+ c]. Row-major. a is (m, k), or (k, m) when trans_a;
// b is (k, n), or (n, k) when trans_b. bias: 1 adds a row vector. accumulate: 1 adds to c.
// out_f32: c is fp32 whatever dtype is (main gradients of a bf16 step).
struct GemmShape {
  std::int64_t m = 0, n = 0, k = 0, trans_a = 0, trans_b = 0, bias = 0, accumulate = 0, out_f32 = 0;
  STEPMARK_OP_SHAPE(gemm, m, n, k, trans_a, trans_b, bias, accumulate, out_f32);
};

// out (n) [+]= column sums of x (m, n): the gradient of a bias. Operands: x, out (fp32).
struct BiasGradShape {
  std::int64_t m = 0, n = 0, accumulate = 0;
  STEPMARK_OP_SHAPE(bias_grad, m, n, accumulate);
};

// pre (m, n) = op(a) op(b) + bias (n), c (m, n) = gelu(pre), tanh form as gelu_fwd. a, b as in
// GemmShape. Operands: a, b, bias (absent when bias = 0), pre, c. gelu may be taken of the sum
// before or after it is rounded to pre's type.
struct GemmGeluShape {
  std::int64_t m = 0, n = 0, k = 0, trans_a = 0, trans_b = 0, bias = 0;
  STEPMARK_OP_SHAPE(gemm_gelu, m, n, k, trans_a, trans_b, bias);
};

// c (m, n) = (op(a) op(b)) * gelu'(pre), elementwise; the derivative as in gelu_bwd. a, b as in
// GemmShape. Operands: a, b, pre (m, n), c.
struct GemmDgeluShape {
  std::int64_t m = 0, n = 0, k = 0, trans_a = 0, trans_b = 0;
  STEPMARK_OP_SHAPE(gemm_dgelu, m, n, k, trans_a, trans_b);
};

// Weight and bias gradient of a linear layer in one pass over dy: dw (m, n) [+]= dy^T x,
// dbias (m) [+]= column sums of dy. Operands: dy (k, m), x (k, n), dw (fp32), dbias (fp32).
struct GemmBiasGradShape {
  std::int64_t m = 0, n = 0, k = 0, accumulate = 0;
  STEPMARK_OP_SHAPE(gemm_bias_grad, m, n, k, accumulate);
};

}  // namespace stepmark
