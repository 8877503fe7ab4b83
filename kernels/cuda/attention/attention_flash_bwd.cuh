// SPDX-License-Identifier: Apache-2.0
// What a block of the flash attention kernels does backward with a tile of rows that it owns and
// one that goes by: scores, dP, and from them its share of dQ, or of dK and dV.
#pragma once

#include "kernels/cuda/attention/attention_tile.cuh"

namespace stepmark::cuda::flash {

// Tiles "1" hold queries or keys (their product is the scores), tiles "2" dout or values (dP).
template <int kHeadDim_, bool kOwnKeys_, int kStreamRows_>
struct BackwardTiles {
  static constexpr int kHeadDim = kHeadDim_, kStreamRows = kStreamRows_;
  static constexpr bool kOwnKeys = kOwnKeys_;
  static constexpr int kOwnRows = 16 * kWarps;
  static constexpr int kOwnElements = kOwnRows * kHeadDim;
  static constexpr int kStreamElements = kStreamRows * kHeadDim;
  static constexpr int kStatistics = 2 * kStreamRows;  // lse and delta
  // Own tiles, two buffers of streamed tiles, two of the streamed queries' statistics.
  static constexpr std::size_t kTileBytes =
      static_cast<std::size_t>(2 * kOwnElements + 4 * kStreamElements) * sizeof(bfloat);
  static constexpr std::size_t kSharedBytes =
      kTileBytes + (kOwnKeys ? 2 * kStatistics * sizeof(float) : 0);
  static_assert(kSharedBytes <= kMostSharedBytes);
  static_assert(kOwnRows % kStreamRows == 0, "the diagonal meets whole tiles");
  static_assert(kStatistics <= kThreads, "a thread per statistic");
};

// Where queries are owned, and where keys are: dK and dV of a wide head leave registers for the
// scores of 32 queries only.
template <int kHeadDim>
using QueryOwner = BackwardTiles<kHeadDim, false, 64>;
template <int kHeadDim>
using KeyOwner = BackwardTiles<kHeadDim, true, kHeadDim == 64 ? 64 : 32>;

// One head's rows in global memory.
struct Rows {
  const bfloat* from;
  std::int64_t stride;

  __device__ const bfloat* at(int row) const { return from + row * stride; }
};

// Of the two queries that a lane owns: lse times log2(e), and delta.
struct OwnStatistics {
  float lse[2], delta[2];
};

// `row`: where lse and delta of query 0 are; `own_row`: the warp's first; there are `queries`.
__device__ inline OwnStatistics own_statistics(const float* lse, const float* delta,
                                               std::int64_t row, int own_row, int queries) {
  OwnStatistics own;
  for (int half = 0; half < 2; ++half) {
    const int query = own_row + 8 * half + lane_index() / 4;
    const bool exists = query < queries;
    own.lse[half] = exists ? lse[row + query] * kLog2E : INFINITY;
    own.delta[half] = exists ? delta[row + query] : 0.0F;
  }
  return own;
}

// Statistics of streamed queries, from `first` on, to shared memory: lse times log2(e), then delta.
// `row`: where those of query 0 are; there are `queries` of them.
template <class K>
__device__ inline void copy_statistics(float* to, const float* lse, const float* delta,
                                       std::int64_t row, int first, int queries) {
  if (threadIdx.x >= K::kStatistics) return;
  const int which = static_cast<int>(threadIdx.x);
  const int query = first + which % K::kStreamRows;
  const bool is_lse = which < K::kStreamRows, exists = query < queries;
  // Queries that do not exist: an infinite lse makes all their weights 0.
  float value = is_lse ? INFINITY : 0.0F;
  if (exists) {
    value = (is_lse ? lse : delta)[row + query];
    if (is_lse) value *= kLog2E;
  }
  to[which] = value;
}

// Whether a key lies behind the query, of an own and a streamed row.
template <class K>
__device__ inline bool hidden(int row, int column) {
  return K::kOwnKeys ? row > column : column > row;
}

// scores and dp become P and dS / scale, but 0 where `masked` and hide(row, column): the row is one
// of the warp's own 16, the first of which is `ahead`, counted like the column from the first
// streamed one. `statistics`: of the streamed queries, where keys are owned.
template <class K, class Hide>
__device__ inline void differentiate(Sums (&scores)[1][K::kStreamRows / 8],
                                     Sums (&dp)[1][K::kStreamRows / 8], int ahead, bool masked,
                                     float factor, const float* statistics,
                                     const OwnStatistics& own, Hide hide) {
  const int g = lane_index() / 4, t = lane_index() % 4;
  STEPMARK_UNROLL
  for (int n = 0; n < K::kStreamRows / 8; ++n) {
    STEPMARK_UNROLL
    for (int j = 0; j < 4; ++j) {
      const int column = 8 * n + 2 * t + j % 2, row = ahead + g + j / 2 * 8;
      const float lse = K::kOwnKeys ? statistics[column] : own.lse[j / 2];
      const float delta = K::kOwnKeys ? statistics[K::kStreamRows + column] : own.delta[j / 2];
      float weight = exp2_approx(__fmaf_rn(scores[0][n][j], factor, -lse));
      if (masked && hide(row, column)) weight = 0;
      scores[0][n][j] = weight;
      dp[0][n][j] = weight * (dp[0][n][j] - delta);
    }
  }
}

// Adds to sums1 (of dQ or dK, without scale) and, where keys are the own rows, to sums2 (of dV)
// what is due to the streamed tiles, which begin at `stream1`.
template <class K, class Hide>
__device__ inline void add_gradients(Sums (&sums1)[1][K::kHeadDim / 8],
                                     Sums (&sums2)[1][K::kHeadDim / 8], const bfloat* own1,
                                     const bfloat* own2, const bfloat* stream1, int ahead,
                                     bool masked, float factor, const float* statistics,
                                     const OwnStatistics& own, Hide hide) {
  const bfloat* stream2 = stream1 + K::kStreamElements;
  Sums scores[1][K::kStreamRows / 8] = {}, dp[1][K::kStreamRows / 8] = {};
  add_products<K::kHeadDim, 1, K::kStreamRows>(scores, own1, stream1);
  add_products<K::kHeadDim, 1, K::kStreamRows>(dp, own2, stream2);
  differentiate<K>(scores, dp, ahead, masked, factor, statistics, own, hide);
  STEPMARK_UNROLL
  for (int n = 0; n < K::kStreamRows / 16; ++n) {
    Left weights[1];
    if (K::kOwnKeys) {
      to_left(weights[0], scores[0][2 * n], scores[0][2 * n + 1]);
      add_weighted<K::kHeadDim>(sums2, weights, stream2 + 16 * n * K::kHeadDim);
    }
    to_left(weights[0], dp[0][2 * n], dp[0][2 * n + 1]);
    add_weighted<K::kHeadDim>(sums1, weights, stream1 + 16 * n * K::kHeadDim);
  }
}

// The scale that add_gradients leaves out.
template <int kHeadDim>
__device__ inline void scale_sums(Sums (&sums)[1][kHeadDim / 8], float scale) {
  STEPMARK_UNROLL
  for (int n = 0; n < kHeadDim / 8; ++n) {
    STEPMARK_UNROLL
    for (int j = 0; j < 4; ++j) sums[0][n][j] *= scale;
  }
}

}  // namespace stepmark::cuda::flash
