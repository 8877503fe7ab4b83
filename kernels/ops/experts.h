// SPDX-License-Identifier: Apache-2.0
// Rows of tokens on their way to experts and back, and the experts' GEMMs. Shapes are those of what
// memory has room for; how many rows each expert has is in memory and not in the shape, so that a
// router can decide it while a step runs. Rows that nobody fills are zero.
//
// Experts are spread over `ranks` ranks in blocks that follow each other. Rows that travel lie rank
// by rank: with capacity 0 one rank's rows follow those of the one before; else rank w's begin at
// row w * capacity, of which the first are filled.
#pragma once

#include "kernels/op.h"

namespace stepmark {

// Each token's row once for each of its experts, by expert and then by token. Operands: x (tokens,
// width), chosen (int32; tokens, top_k), rows (tokens * top_k or ranks * capacity, width), places
// (int32; tokens, top_k: the row of each), counts (int32; experts: rows of each).
struct ExpertsPermuteShape {
  std::int64_t tokens = 0, top_k = 0, width = 0, experts = 0, ranks = 0, capacity = 0;
  STEPMARK_OP_SHAPE(experts_permute, tokens, top_k, width, experts, ranks, capacity);
};

// out[t] = sum over k of weights[t,k] rows[places[t,k]], or without weights when weighted = 0.
// Operands: rows (slots, width), places (int32; tokens, top_k), weights (fp32; tokens, top_k;
// absent when weighted = 0), out (tokens, width).
struct ExpertsUnpermuteShape {
  std::int64_t tokens = 0, top_k = 0, width = 0, slots = 0, weighted = 0;
  STEPMARK_OP_SHAPE(experts_unpermute, tokens, top_k, width, slots, weighted);
};
// Its gradients. Operands: dout (tokens, width), rows (slots, width), places (int32; tokens,
// top_k), weights (fp32; tokens, top_k), drows (slots, width), dweights (fp32; tokens, top_k).
struct ExpertsUnpermuteBwdShape {
  std::int64_t tokens = 0, top_k = 0, width = 0, slots = 0;
  STEPMARK_OP_SHAPE(experts_unpermute_bwd, tokens, top_k, width, slots);
};

// Rows as they arrive, by rank and then by expert of this rank, become rows by expert and then by
// rank; inverse: the way back. Operands: from (rows, width), counts (int32; ranks, experts: rows
// from each rank for each expert), to (rows, width), totals (int32; experts: rows of each; absent
// when inverse).
struct ExpertsSortShape {
  std::int64_t ranks = 0, experts = 0, width = 0, capacity = 0, rows = 0, inverse = 0;
  STEPMARK_OP_SHAPE(experts_sort, ranks, experts, width, capacity, rows, inverse);
};

// c[r] = a[r] b[expert of r], or a[r] b^T when trans_b: rows of an expert follow those of the one
// before, counts says how many each has. `expected`: how many rows of `rows` are taken to be filled
// where work is counted. Operands: a (rows, k), b (experts, k, n; experts, n, k when trans_b),
// counts (int32; experts), c (rows, n).
struct ExpertsGemmShape {
  std::int64_t experts = 0, rows = 0, n = 0, k = 0, trans_b = 0, expected = 0;
  STEPMARK_OP_SHAPE(experts_gemm, experts, rows, n, k, trans_b, expected);
};
// c[e] [+]= a^T b over the rows of expert e: the gradient of its weight, 0 where it has none.
// Operands: a (rows, m), b (rows, n), counts (int32; experts), c (fp32; experts, m, n).
struct ExpertsWgradShape {
  std::int64_t experts = 0, rows = 0, m = 0, n = 0, accumulate = 0, expected = 0;
  STEPMARK_OP_SHAPE(experts_wgrad, experts, rows, m, n, accumulate, expected);
};

}  // namespace stepmark
