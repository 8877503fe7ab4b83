// SPDX-License-Identifier: Apache-2.0
// Attention of a sequence that several ranks share (context parallelism). The sequence is cut into
// 2 * ways chunks; pair p of ways has chunks p and 2 ways - 1 - p, one behind the other, so that
// all pairs see equally many keys under the causal mask. A token's row is (batch, 2, chunk): for
// each entry of the batch both chunks. What an op attends with are the queries of one pair and the
// keys of one pair or of several that follow each other; chunk and place in it decide what is
// visible. Packed projections qkv are as in kernels/ops/attention.h.
#pragma once

#include "kernels/op.h"

namespace stepmark {

// Operands: qkv (its queries are read), kv (key_pairs, batch, 2, chunk, 2, kv_heads, head_dim: per
// token all key heads, then all value heads), out (batch, 2, chunk, heads, head_dim), lse (fp32;
// batch, heads, 2, chunk). accumulate: out and lse are those of other keys and become those of all;
// then out is fp32 (dtype, or out_f32). A query that has seen no key has out 0 and lse -infinity.
struct AttentionChunksFwdShape {
  std::int64_t batch = 0, chunk = 0, ways = 0, pair = 0, key_pair = 0, key_pairs = 0;
  std::int64_t heads = 0, kv_heads = 0, head_dim = 0, accumulate = 0, out_f32 = 0;
  STEPMARK_OP_SHAPE(attention_chunks_fwd, batch, chunk, ways, pair, key_pair, key_pairs, heads,
                    kv_heads, head_dim, accumulate, out_f32);
};

// out and lse are those of all keys, also of those that this op does not have: what is due to its
// own keys is then exact, and is summed over ops. Operands: dout, qkv, kv, out, lse, dq (fp32;
// as out; added to with accumulate), dkv (fp32; as kv; written).
struct AttentionChunksBwdShape {
  std::int64_t batch = 0, chunk = 0, ways = 0, pair = 0, key_pair = 0, key_pairs = 0;
  std::int64_t heads = 0, kv_heads = 0, head_dim = 0, accumulate = 0;
  STEPMARK_OP_SHAPE(attention_chunks_bwd, batch, chunk, ways, pair, key_pair, key_pairs, heads,
                    kv_heads, head_dim, accumulate);
};

// As rope, at the positions of a pair's tokens in the whole sequence. Operand: qkv (inout).
struct RopeChunksShape {
  std::int64_t batch = 0, chunk = 0, ways = 0, pair = 0;
  std::int64_t heads = 0, kv_heads = 0, head_dim = 0, inverse = 0;
  double theta = 10000.0;
  STEPMARK_OP_SHAPE(rope_chunks, batch, chunk, ways, pair, heads, kv_heads, head_dim, inverse,
                    theta);
};

// kv = key and value heads of qkv, which is what travels. Operands: qkv, kv (tokens, 2 kv_heads *
// head_dim).
struct KvSplitShape {
  std::int64_t tokens = 0, heads = 0, kv_heads = 0, head_dim = 0;
  STEPMARK_OP_SHAPE(kv_split, tokens, heads, kv_heads, head_dim);
};
// The way back, of gradients. Operands: dq (fp32; tokens, heads * head_dim), dkv (fp32; as kv),
// dqkv (written).
struct QkvJoinShape {
  std::int64_t tokens = 0, heads = 0, kv_heads = 0, head_dim = 0;
  STEPMARK_OP_SHAPE(qkv_join, tokens, heads, kv_heads, head_dim);
};

// x (tokens, heads + 2 kv_heads, head_dim) as y (ways, tokens, (heads + 2 kv_heads) / ways,
// head_dim): y[w] has the w-th share of the query, of the key and of the value heads. inverse: the
// way back. kv_heads may be 0: heads of one kind. Operands: from, to.
struct HeadsToRanksShape {
  std::int64_t tokens = 0, heads = 0, kv_heads = 0, head_dim = 0, ways = 0, inverse = 0;
  STEPMARK_OP_SHAPE(heads_to_ranks, tokens, heads, kv_heads, head_dim, ways, inverse);
};
// x (ways, batch, 2, chunk, width), tokens of all pairs, as y (batch, 2 ways chunk, width), whole
// sequences in their order. inverse: the way back. Operands: from, to.
struct ChunksInOrderShape {
  std::int64_t batch = 0, chunk = 0, ways = 0, width = 0, inverse = 0;
  STEPMARK_OP_SHAPE(chunks_in_order, batch, chunk, ways, width, inverse);
};

// Which chunk of the sequence the first (half 0) and the second one of a pair are.
constexpr std::int64_t chunk_of(std::int64_t ways, std::int64_t pair, std::int64_t half) {
  return half == 0 ? pair : 2 * ways - 1 - pair;
}
// Where token `index` of a pair's 2 * chunk lies in the sequence.
constexpr std::int64_t position_in_sequence(std::int64_t chunk, std::int64_t ways,
                                            std::int64_t pair, std::int64_t index) {
  return chunk_of(ways, pair, index / chunk) * chunk + index % chunk;
}

}  // namespace stepmark
