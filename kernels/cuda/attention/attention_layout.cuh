// SPDX-License-Identifier: Apache-2.0
// Where the rows of a packed projection lie (see kernels/ops/attention.h), and how blocks of
// threads are dealt out over tiles of the sequence.
#pragma once

#include <simt/simt.cuh>

#include "kernels/ops/attention.h"

namespace stepmark::cuda {

// Offsets and strides in elements.
struct AttentionLayout {
  int batch, seq, heads, kv_heads, head_dim;  // batch * seq and heads * head_dim are ints as well
  std::int64_t qkv_stride, out_stride;        // from token to token
  float scale;

  template <class S>
  explicit AttentionLayout(const S& s)
      : batch(static_cast<int>(s.batch)),
        seq(static_cast<int>(s.seq)),
        heads(static_cast<int>(s.heads)),
        kv_heads(static_cast<int>(s.kv_heads)),
        head_dim(static_cast<int>(s.head_dim)),
        qkv_stride((s.heads + 2 * s.kv_heads) * s.head_dim),
        out_stride(s.heads * s.head_dim),
        scale(static_cast<float>(1.0 / std::sqrt(static_cast<double>(s.head_dim)))) {}

  __host__ __device__ int group() const { return heads / kv_heads; }
  // The row of token 0 of the batch's entry.
  __device__ std::int64_t query(int b, int head) const {
    return std::int64_t{b} * seq * qkv_stride + std::int64_t{head} * head_dim;
  }
  __device__ std::int64_t key(int b, int kv_head) const { return query(b, heads + kv_head); }
  __device__ std::int64_t value(int b, int kv_head) const {
    return query(b, heads + kv_heads + kv_head);
  }
  __device__ std::int64_t out(int b, int head) const {
    return std::int64_t{b} * seq * out_stride + std::int64_t{head} * head_dim;
  }
  // Of (batch, heads, seq): lse, and the backward pass's row sums.
  __device__ std::int64_t row(int b, int head) const {
    return (std::int64_t{b} * heads + head) * seq;
  }
};

// One block per tile of `rows` tokens, head and entry of the batch. Blocks start in the order of
// their index; tiles with the most visible pairs come first, so that the blocks end together.
struct AttentionGrid {
  int heads, tiles, problems;  // problems: batch * heads

  AttentionGrid(const AttentionLayout& l, int heads_, int rows)
      : heads(heads_), tiles((l.seq - 1) / rows + 1), problems(l.batch * heads_) {}

  [[nodiscard]] std::int64_t blocks() const { return std::int64_t{tiles} * problems; }
  // rank 0: the first tile to start.
  struct Place {
    int rank, batch, head;
  };
  __device__ Place place(unsigned block) const {
    const int problem = static_cast<int>(block % static_cast<unsigned>(problems));
    return {static_cast<int>(block / static_cast<unsigned>(problems)), problem / heads,
            problem % heads};
  }
};

// Throws when the grid has more blocks than a launch may have.
[[nodiscard]] inline unsigned blocks_of(const AttentionGrid& grid) {
  constexpr std::int64_t kMost = 0x7FFFFFFF;
  if (grid.blocks() > kMost) fail("attention: more blocks than one launch may have");
  return static_cast<unsigned>(grid.blocks());
}

}  // namespace stepmark::cuda
