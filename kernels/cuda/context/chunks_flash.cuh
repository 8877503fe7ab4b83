// SPDX-License-Identifier: Apache-2.0
// What the flash attention kernels need for chunks: the walk over the tiles of all chunks that a
// block's own rows see or are seen by, and rows of results in fp32.
#pragma once

#include "kernels/cuda/attention/attention_tile.cuh"
#include "kernels/cuda/context/context_layout.cuh"

namespace stepmark::cuda::flash {

// Parts one behind the other, tile by tile. A part lies in one chunk: a segment of keys where
// queries are the own rows, a half of the queries of one of the group's heads where keys are. Parts
// that no own row sees, or is seen by, are left out.
template <bool kOwnKeys, int kOwnRows, int kStreamRows>
class ChunksWalk {
 public:
  static_assert(kOwnRows % kStreamRows == 0, "the diagonal meets whole tiles");

  __device__ ChunksWalk(const ChunksLayout& l, int own_chunk, int first_own)
      : l_(l), own_chunk_(own_chunk), first_own_(first_own) {
    enter(0);
  }
  // The tile: rows from row() on of part().
  __device__ int part() const { return part_; }
  __device__ int row() const { return row_; }
  __device__ bool ended() const { return part_ == parts(); }
  __device__ void advance() {
    row_ += kStreamRows;
    if (row_ >= end_) enter(part_ + 1);
  }
  // `own_row` minus the tile's first row, or so far from it that all see each other.
  __device__ int ahead(int own_row) const {
    return diagonal_ ? own_row - row_ : kOwnKeys ? -kOwnRows : kStreamRows;
  }

 private:
  __device__ int parts() const { return kOwnKeys ? 2 * l_.group() : l_.segments(); }
  // The first part from `part` on that counts.
  __device__ void enter(int part) {
    for (part_ = part; part_ < parts(); ++part_) {
      const int chunk = kOwnKeys ? l_.query_chunk(part_ % 2) : l_.key_chunk(part_);
      if (kOwnKeys ? chunk < own_chunk_ : chunk > own_chunk_) continue;
      diagonal_ = chunk == own_chunk_;
      row_ = kOwnKeys && diagonal_ ? first_own_ : 0;
      const int last = first_own_ + kOwnRows;
      end_ = !kOwnKeys && diagonal_ && last < l_.chunk ? last : l_.chunk;
      return;
    }
  }

  const ChunksLayout& l_;
  int own_chunk_, first_own_, part_ = 0, row_ = 0, end_ = 0;
  bool diagonal_ = false;
};

// Rows [0, 16 kRowBlocks) of the warp to global memory, as fp32 in pairs, those below `valid`. With
// `accumulate`, what is there is kept: keep(m, half) times it.
template <int kHeadDim, int kRowBlocks, class Keep>
__device__ inline void store_rows_f32(float* to, std::int64_t stride, int valid,
                                      Sums (&sums)[kRowBlocks][kHeadDim / 8], bool accumulate,
                                      Keep keep) {
  const int g = lane_index() / 4, t = lane_index() % 4;
  STEPMARK_UNROLL
  for (int m = 0; m < kRowBlocks; ++m) {
    STEPMARK_UNROLL
    for (int half = 0; half < 2; ++half) {
      const int row = 16 * m + 8 * half + g;
      if (row >= valid) continue;
      float* at = to + row * stride + 2 * t;
      if (accumulate) {
        // In front of all writes, so that the reads do not wait for each other.
        STEPMARK_UNROLL
        for (int n = 0; n < kHeadDim / 8; ++n) {
          const auto old = load_pack<2>(at + 8 * n);
          sums[m][n][2 * half] += old.v[0] * keep(m, half);
          sums[m][n][2 * half + 1] += old.v[1] * keep(m, half);
        }
      }
      STEPMARK_UNROLL
      for (int n = 0; n < kHeadDim / 8; ++n) {
        store_pack<2>(at + 8 * n, {sums[m][n][2 * half], sums[m][n][2 * half + 1]});
      }
    }
  }
}

}  // namespace stepmark::cuda::flash
