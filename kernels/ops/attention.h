// SPDX-License-Identifier: Apache-2.0
// Causal self-attention with grouped key/value heads, and rotary position embedding, on a packed
// projection qkv (tokens, (heads + 2 kv_heads) * head_dim): per token all query heads, then all key
// heads, then all value heads. tokens = batch * seq, batch-major. Query head h reads key/value head
// h / (heads / kv_heads). Scale 1/sqrt(head_dim).
#pragma once

#include "kernels/op.h"

namespace stepmark {

// Operands: qkv, out (tokens, heads*head_dim), lse (fp32; batch, heads, seq: log-sum-exp of scaled
// scores).
struct AttentionFwdShape {
  std::int64_t batch = 0, seq = 0, heads = 0, kv_heads = 0, head_dim = 0;
  STEPMARK_OP_SHAPE(attention_fwd, batch, seq, heads, kv_heads, head_dim);
};

// Operands: dout, qkv, out, lse, dqkv (written).
struct AttentionBwdShape {
  std::int64_t batch = 0, seq = 0, heads = 0, kv_heads = 0, head_dim = 0;
  STEPMARK_OP_SHAPE(attention_bwd, batch, seq, heads, kv_heads, head_dim);
};

// Rotates query and key heads in place (pairs (i, i + head_dim/2), as Llama in Hugging Face's
// layout); position = token % seq; inverse: 1 rotates back (the backward pass). Operand: qkv
// (inout).
struct RopeShape {
  std::int64_t batch = 0, seq = 0, heads = 0, kv_heads = 0, head_dim = 0, inverse = 0;
  double theta = 10000.0;
  STEPMARK_OP_SHAPE(rope, batch, seq, heads, kv_heads, head_dim, inverse, theta);
};

}  // namespace stepmark
