// SPDX-License-Identifier: Apache-2.0
// Normalisation over the last dim. x, y (rows, cols); gamma, beta (cols). Statistics in fp32.
#pragma once

#include "kernels/op.h"

namespace stepmark {

// Operands: x, gamma, beta, y, mean (fp32, rows), rstd (fp32, rows).
struct LayerNormFwdShape {
  std::int64_t rows = 0, cols = 0;
  double eps = 1e-5;
  STEPMARK_OP_SHAPE(layernorm_fwd, rows, cols, eps);
};

// Operands: dy, x, gamma, mean, rstd, dx (inout: added to, the residual gradient flows through),
// dgamma, dbeta (fp32; written, or added to when accumulate). add_dx: 0 overwrites dx.
struct LayerNormBwdShape {
  std::int64_t rows = 0, cols = 0, add_dx = 1, accumulate = 0;
  STEPMARK_OP_SHAPE(layernorm_bwd, rows, cols, add_dx, accumulate);
};

// Operands: x, gamma, y, rstd (fp32, rows).
struct RmsNormFwdShape {
  std::int64_t rows = 0, cols = 0;
  double eps = 1e-5;
  STEPMARK_OP_SHAPE(rmsnorm_fwd, rows, cols, eps);
};

// Operands: dy, x, gamma, rstd, dx (inout as above), dgamma (fp32).
struct RmsNormBwdShape {
  std::int64_t rows = 0, cols = 0, add_dx = 1, accumulate = 0;
  STEPMARK_OP_SHAPE(rmsnorm_bwd, rows, cols, add_dx, accumulate);
};

// RMSNorm of every query and every key head of packed projections, in place, as before rotary
// positions (q/k norm). Operands: qkv (inout; tokens, heads + 2 kv_heads, head_dim: value heads
// stay), q_gamma, k_gamma (head_dim), raw (tokens, heads + kv_heads, head_dim: the heads as they
// were, for the gradient), rstd (fp32; tokens, heads + kv_heads).
struct HeadNormFwdShape {
  std::int64_t tokens = 0, heads = 0, kv_heads = 0, head_dim = 0;
  double eps = 1e-5;
  STEPMARK_OP_SHAPE(head_norm_fwd, tokens, heads, kv_heads, head_dim, eps);
};

// Operands: dqkv (inout: the gradient of what the norm gave becomes that of what it was given),
// raw, q_gamma, k_gamma, rstd, dq_gamma, dk_gamma (fp32; written, or added to when accumulate).
struct HeadNormBwdShape {
  std::int64_t tokens = 0, heads = 0, kv_heads = 0, head_dim = 0, accumulate = 0;
  STEPMARK_OP_SHAPE(head_norm_bwd, tokens, heads, kv_heads, head_dim, accumulate);
};

// The residual sum and the norm after it in one pass: out = a + b (+ bias), added in fp32 in this
// order and rounded to the stored type, y = rmsnorm(out) gamma; the statistics are those of out as
// stored. Operands: a, b, bias (cols; absent when bias = 0), gamma, out, y, rstd (fp32, rows). out
// may be the same memory as a.
struct ResidualRmsNormFwdShape {
  std::int64_t rows = 0, cols = 0, bias = 0;
  double eps = 1e-5;
  STEPMARK_OP_SHAPE(residual_rmsnorm_fwd, rows, cols, bias, eps);
};

// The same with layernorm_fwd. Operands: a, b, bias, gamma, beta, out, y, mean, rstd (fp32, rows).
struct ResidualLayerNormFwdShape {
  std::int64_t rows = 0, cols = 0, bias = 0;
  double eps = 1e-5;
  STEPMARK_OP_SHAPE(residual_layernorm_fwd, rows, cols, bias, eps);
};

}  // namespace stepmark
