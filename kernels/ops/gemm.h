// SPDX-License-Identifier: Apache-2.0
// Dense matrix product. Operands: a, b, bias, c.
#pragma once

#include "kernels/op.h"

namespace stepmark {

// c (m, n) = op(a) op(b) + bias (n) [+ c]. Row-major. a is (m, k), or (k, m) when trans_a;
// b is (k, n), or (n, k) when trans_b. bias: 1 adds a row vector. accumulate: 1 adds to c.
// out_f32: c is fp32 whatever dtype is (main gradients of a bf16 step).
struct GemmShape {
  static constexpr OpId id = OpId::gemm;
  std::int64_t m = 0, n = 0, k = 0, trans_a = 0, trans_b = 0, bias = 0, accumulate = 0, out_f32 = 0;
  auto dims() { return std::tie(m, n, k, trans_a, trans_b, bias, accumulate, out_f32); }
};

// out (n) [+]= column sums of x (m, n): the gradient of a bias. Operands: x, out (fp32).
struct BiasGradShape {
  static constexpr OpId id = OpId::bias_grad;
  std::int64_t m = 0, n = 0, accumulate = 0;
  auto dims() { return std::tie(m, n, accumulate); }
};

}  // namespace stepmark
