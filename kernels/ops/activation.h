// SPDX-License-Identifier: Apache-2.0
// Activation functions and the residual sum.
#pragma once

#include "kernels/op.h"

namespace stepmark {

// y = gelu(x), tanh approximation. Operands: x, y (elements).
struct GeluFwdShape {
  static constexpr OpId id = OpId::gelu_fwd;
  std::int64_t elements = 0;
  auto dims() { return std::tie(elements); }
};
// Operands: dy, x, dx.  dx may be the same memory as dy.
struct GeluBwdShape {
  static constexpr OpId id = OpId::gelu_bwd;
  std::int64_t elements = 0;
  auto dims() { return std::tie(elements); }
};
// y (rows, cols) = silu(gate) * up, with x (rows, 2 cols) = [gate | up] per row. Operands: x, y.
struct SwigluFwdShape {
  static constexpr OpId id = OpId::swiglu_fwd;
  std::int64_t rows = 0, cols = 0;
  auto dims() { return std::tie(rows, cols); }
};
// Operands: dy, x, dx (rows, 2 cols).
struct SwigluBwdShape {
  static constexpr OpId id = OpId::swiglu_bwd;
  std::int64_t rows = 0, cols = 0;
  auto dims() { return std::tie(rows, cols); }
};
// out = a + b (+ bias broadcast over rows). Operands: a, b, bias (cols, absent when bias = 0), out.
// out may be the same memory as a.
struct ResidualShape {
  static constexpr OpId id = OpId::residual;
  std::int64_t rows = 0, cols = 0, bias = 0;
  auto dims() { return std::tie(rows, cols, bias); }
};

}  // namespace stepmark
