// SPDX-License-Identifier: Apache-2.0
// Activation functions and the residual sum.
#pragma once

#include "kernels/op.h"

namespace stepmark {

// y = gelu(x), tanh approximation. Operands: x, y (elements).
struct GeluFwdShape {
  std::int64_t elements = 0;
  STEPMARK_OP_SHAPE(gelu_fwd, elements);
};
// Operands: dy, x, dx.  dx may be the same memory as dy.
struct GeluBwdShape {
  std::int64_t elements = 0;
  STEPMARK_OP_SHAPE(gelu_bwd, elements);
};
// y (rows, cols) = silu(gate) * up, with x (rows, 2 cols) = [gate | up] per row. Operands: x, y.
struct SwigluFwdShape {
  std::int64_t rows = 0, cols = 0;
  STEPMARK_OP_SHAPE(swiglu_fwd, rows, cols);
};
// Operands: dy, x, dx (rows, 2 cols).
struct SwigluBwdShape {
  std::int64_t rows = 0, cols = 0;
  STEPMARK_OP_SHAPE(swiglu_bwd, rows, cols);
};
// out = a + b (+ bias broadcast over rows). Operands: a, b, bias (cols, absent when bias = 0), out.
// out may be the same memory as a.
struct ResidualShape {
  std::int64_t rows = 0, cols = 0, bias = 0;
  STEPMARK_OP_SHAPE(residual, rows, cols, bias);
};

}  // namespace stepmark
