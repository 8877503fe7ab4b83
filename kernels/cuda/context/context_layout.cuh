// SPDX-License-Identifier: Apache-2.0
// Where queries and keys of chunks lie (see kernels/ops/context.h).
#pragma once

#include "kernels/cuda/attention/attention_layout.cuh"
#include "kernels/ops/context.h"

namespace stepmark::cuda {

// Offsets and strides in elements. A segment is a chunk of keys: half segment % 2 of pair
// key_pair + segment / 2.
struct ChunksLayout {
  int batch, chunk, ways, pair, key_pair, key_pairs, heads, kv_heads, head_dim;
  std::int64_t qkv_stride, kv_stride, out_stride;  // from token to token
  float scale;
  bool accumulate;

  template <class S>
  explicit ChunksLayout(const S& s)
      : batch(static_cast<int>(s.batch)),
        chunk(static_cast<int>(s.chunk)),
        ways(static_cast<int>(s.ways)),
        pair(static_cast<int>(s.pair)),
        key_pair(static_cast<int>(s.key_pair)),
        key_pairs(static_cast<int>(s.key_pairs)),
        heads(static_cast<int>(s.heads)),
        kv_heads(static_cast<int>(s.kv_heads)),
        head_dim(static_cast<int>(s.head_dim)),
        qkv_stride((s.heads + 2 * s.kv_heads) * s.head_dim),
        kv_stride(2 * s.kv_heads * s.head_dim),
        out_stride(s.heads * s.head_dim),
        scale(static_cast<float>(1.0 / std::sqrt(static_cast<double>(s.head_dim)))),
        accumulate(s.accumulate != 0) {}

  __host__ __device__ int group() const { return heads / kv_heads; }
  __host__ __device__ int segments() const { return 2 * key_pairs; }
  __device__ int query_chunk(int half) const { return half == 0 ? pair : 2 * ways - 1 - pair; }
  __device__ int key_chunk(int segment) const {
    const int of = key_pair + segment / 2;
    return segment % 2 == 0 ? of : 2 * ways - 1 - of;
  }
  // The segment whose chunk is the rank-th of all segments' in the sequence.
  __device__ int segment_in_order(int rank) const {
    return rank < key_pairs ? 2 * rank : 2 * (segments() - 1 - rank) + 1;
  }
  // The first token of a half, or segment.
  __device__ std::int64_t token(int b, int half) const {
    return (std::int64_t{b} * 2 + half) * chunk;
  }
  __device__ std::int64_t query(int b, int head, int half) const {
    return token(b, half) * qkv_stride + std::int64_t{head} * head_dim;
  }
  __device__ std::int64_t out(int b, int head, int half) const {
    return token(b, half) * out_stride + std::int64_t{head} * head_dim;
  }
  __device__ std::int64_t key(int b, int kv_head, int segment) const {
    return (std::int64_t{segment / 2} * batch * 2 * chunk + token(b, segment % 2)) * kv_stride +
           std::int64_t{kv_head} * head_dim;
  }
  __device__ std::int64_t value(int b, int kv_head, int segment) const {
    return key(b, kv_head + kv_heads, segment);
  }
  // Of (batch, heads, 2, chunk): lse, and the backward pass's row sums.
  __device__ std::int64_t row(int b, int head, int half) const {
    return ((std::int64_t{b} * heads + head) * 2 + half) * chunk;
  }
};

// One block per tile of `rows` tokens of a chunk, head and entry of the batch.
struct ChunksGrid {
  int heads, tiles, problems;  // tiles: of a chunk; problems: batch * heads

  ChunksGrid(const ChunksLayout& l, int heads_, int rows)
      : heads(heads_), tiles((l.chunk - 1) / rows + 1), problems(l.batch * heads_) {}

  // `chunks`: halves of queries, or segments of keys.
  [[nodiscard]] unsigned blocks(int chunks) const {
    const std::int64_t count = std::int64_t{chunks} * tiles * problems;
    if (count > 0x7FFFFFFF) fail("attention: more blocks than one launch may have");
    return static_cast<unsigned>(count);
  }
  struct Place {
    int chunk, tile, batch, head;
  };
  __device__ Place place(unsigned block) const {
    const int problem = static_cast<int>(block % static_cast<unsigned>(problems));
    const int of_all = static_cast<int>(block / static_cast<unsigned>(problems));
    return {of_all / tiles, of_all % tiles, problem / heads, problem % heads};
  }
};

// Both chunks of a pair as one sequence of rows, which row sums take them for.
[[nodiscard]] inline AttentionLayout rows_of_pair(const AttentionChunksBwdShape& s) {
  return AttentionLayout(AttentionBwdShape{.batch = s.batch,
                                           .seq = 2 * s.chunk,
                                           .heads = s.heads,
                                           .kv_heads = s.kv_heads,
                                           .head_dim = s.head_dim});
}

}  // namespace stepmark::cuda
