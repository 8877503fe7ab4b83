// SPDX-License-Identifier: Apache-2.0
// The router of a mixture of experts: which experts a token goes to, with which weights, and what
// keeps the experts' loads alike. Everything is in fp32, as in the models that are known, but for
// the gradient of the logits, which a GEMM reads.
//
// `tokens` rows are tokens `first` and following of `sequences` sequences of `seq` tokens each.
#pragma once

#include "kernels/op.h"

namespace stepmark {

// The experts with the largest logits, the largest first; of equal ones the first. Operands: logits
// (fp32; tokens, experts), chosen (int32; tokens, top_k).
struct RouterTopKShape {
  std::int64_t tokens = 0, experts = 0, top_k = 0;
  STEPMARK_OP_SHAPE(router_top_k, tokens, experts, top_k);
};

// P = softmax(logits); weights are P of the chosen experts or, with renormalise, these over their
// sum. hits: how many tokens of each sequence chose each expert. Operands: logits (fp32; tokens,
// experts), chosen (int32; tokens, top_k), weights (fp32; tokens, top_k), hits (fp32; sequences,
// experts).
struct RouterWeightsShape {
  std::int64_t tokens = 0, experts = 0, top_k = 0, sequences = 0, seq = 0, first = 0;
  std::int64_t renormalise = 0;
  STEPMARK_OP_SHAPE(router_weights, tokens, experts, top_k, sequences, seq, first, renormalise);
};

// Gradient of the logits through the weights and through the load-balancing loss
//   aux = aux_scale sum_x sum_i hits(sequence of x, i) P(x, i)
// in which hits, those of whole sequences, are constants. Operands: dweights (fp32; tokens, top_k),
// logits (fp32), chosen (int32), hits (fp32), dlogits (tokens, experts), aux (fp32, one; written,
// or added to when accumulate).
struct RouterBwdShape {
  std::int64_t tokens = 0, experts = 0, top_k = 0, sequences = 0, seq = 0, first = 0;
  std::int64_t renormalise = 0, accumulate = 0;
  double aux_scale = 0;
  STEPMARK_OP_SHAPE(router_bwd, tokens, experts, top_k, sequences, seq, first, renormalise,
                    accumulate, aux_scale);
};

}  // namespace stepmark
