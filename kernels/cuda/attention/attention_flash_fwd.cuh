// SPDX-License-Identifier: Apache-2.0
// What a block of the flash attention kernels does forward with a tile of queries and one of keys
// and values: scores, softmax carried along, weighted values.
#pragma once

#include "kernels/cuda/attention/attention_tile.cuh"

namespace stepmark::cuda::flash {

// Two row blocks per warp: what is read of the keys and values then feeds twice as many products. A
// wide head leaves registers for the scores of 32 keys only.
template <int kHeadDim_, int kKeys_>
struct ForwardTiles {
  static constexpr int kHeadDim = kHeadDim_, kKeys = kKeys_, kRowBlocks = 2;
  static constexpr int kWarpRows = 16 * kRowBlocks, kQueries = kWarps * kWarpRows;
  static constexpr int kQueryElements = kQueries * kHeadDim, kKeyElements = kKeys * kHeadDim;
  // Queries; keys and values of two tiles.
  static constexpr std::size_t kSharedBytes =
      static_cast<std::size_t>(kQueryElements + 4 * kKeyElements) * sizeof(bfloat);
  static_assert(kSharedBytes <= kMostSharedBytes);
  static_assert(kQueries % kKeys == 0, "a tile of queries ends where a tile of keys ends");
};
using NarrowTiles = ForwardTiles<64, 64>;
using WideTiles = ForwardTiles<128, 32>;

// What a lane knows of the rows g and g+8 of a row block.
template <class K>
struct Softmax {
  float largest[K::kRowBlocks][2], total[K::kRowBlocks][2];

  __device__ Softmax() {
    for (int m = 0; m < K::kRowBlocks; ++m) {
      for (int half = 0; half < 2; ++half) {
        largest[m][half] = -INFINITY;
        total[m][half] = 0;
      }
    }
  }

  // Scores become weights; what was summed so far is scaled to the new maximum. `factor` turns
  // scores into exponents of two. Row maxima are finite: every row sees a key of
  // the first tile.
  __device__ void take(Sums (&scores)[K::kRowBlocks][K::kKeys / 8],
                       Sums (&sums)[K::kRowBlocks][K::kHeadDim / 8], float factor) {
    STEPMARK_UNROLL
    for (int m = 0; m < K::kRowBlocks; ++m) {
      STEPMARK_UNROLL
      for (int half = 0; half < 2; ++half) {
        float most = largest[m][half];
        STEPMARK_UNROLL
        for (int n = 0; n < K::kKeys / 8; ++n) {
          most = fmaxf(most, fmaxf(scores[m][n][2 * half], scores[m][n][2 * half + 1]));
        }
        most = fmaxf(most, __shfl_xor_sync(kFullMask, most, 1));
        most = fmaxf(most, __shfl_xor_sync(kFullMask, most, 2));
        const float keep = exp2_approx((largest[m][half] - most) * factor);
        const float shift = most * factor;
        largest[m][half] = most;
        float sum = total[m][half] * keep;
        STEPMARK_UNROLL
        for (int n = 0; n < K::kKeys / 8; ++n) {
          STEPMARK_UNROLL
          for (int j = 2 * half; j < 2 * half + 2; ++j) {
            scores[m][n][j] = exp2_approx(__fmaf_rn(scores[m][n][j], factor, -shift));
            sum += scores[m][n][j];
          }
        }
        total[m][half] = sum;
        STEPMARK_UNROLL
        for (int n = 0; n < K::kHeadDim / 8; ++n) {
          sums[m][n][2 * half] *= keep;
          sums[m][n][2 * half + 1] *= keep;
        }
      }
    }
  }

  // Multiplies each row by weigh(row block, half of it, largest score, total).
  template <class Weigh>
  __device__ void finish(Sums (&sums)[K::kRowBlocks][K::kHeadDim / 8], Weigh weigh) {
    STEPMARK_UNROLL
    for (int m = 0; m < K::kRowBlocks; ++m) {
      STEPMARK_UNROLL
      for (int half = 0; half < 2; ++half) {
        float sum = total[m][half];
        sum += __shfl_xor_sync(kFullMask, sum, 1);
        sum += __shfl_xor_sync(kFullMask, sum, 2);
        const float factor = weigh(m, half, largest[m][half], sum);
        STEPMARK_UNROLL
        for (int n = 0; n < K::kHeadDim / 8; ++n) {
          sums[m][n][2 * half] *= factor;
          sums[m][n][2 * half + 1] *= factor;
        }
      }
    }
  }
};

// Hides keys behind the queries; `ahead`: the warp's first query minus the tile's first key.
template <class K>
__device__ inline void mask(Sums (&scores)[K::kRowBlocks][K::kKeys / 8], int ahead) {
  const int lane = lane_index();
  STEPMARK_UNROLL
  for (int m = 0; m < K::kRowBlocks; ++m) {
    STEPMARK_UNROLL
    for (int n = 0; n < K::kKeys / 8; ++n) {
      STEPMARK_UNROLL
      for (int j = 0; j < 4; ++j) {
        const int query = ahead + 16 * m + lane / 4 + j / 2 * 8;
        if (8 * n + lane % 4 * 2 + j % 2 > query) scores[m][n][j] = -INFINITY;
      }
    }
  }
}

// Adds a tile's values, weighted, to sums. `queries`: the warp's; hide(scores) hides keys of the
// tile.
template <class K, class Hide>
__device__ inline void attend(Softmax<K>& softmax, Sums (&sums)[K::kRowBlocks][K::kHeadDim / 8],
                              const bfloat* queries, const bfloat* key_tile, float factor,
                              Hide hide) {
  Sums scores[K::kRowBlocks][K::kKeys / 8] = {};
  add_products<K::kHeadDim, K::kRowBlocks, K::kKeys>(scores, queries, key_tile);
  hide(scores);
  softmax.take(scores, sums, factor);
  const bfloat* value_tile = key_tile + K::kKeyElements;
  STEPMARK_UNROLL
  for (int n = 0; n < K::kKeys / 16; ++n) {
    Left weights[K::kRowBlocks];
    STEPMARK_UNROLL
    for (int m = 0; m < K::kRowBlocks; ++m) {
      to_left(weights[m], scores[m][2 * n], scores[m][2 * n + 1]);
    }
    add_weighted<K::kHeadDim>(sums, weights, value_tile + 16 * n * K::kHeadDim);
  }
}

}  // namespace stepmark::cuda::flash
