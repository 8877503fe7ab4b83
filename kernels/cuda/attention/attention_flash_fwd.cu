// SPDX-License-Identifier: Apache-2.0
// Attention on the tensor cores, forward: Dao, arXiv 2307.08691, algorithm 1. A block keeps a tile
// of queries and walks over the tiles of keys and values up to the diagonal, with the next tile on
// its way while one is worked on. A warp owns whole rows of scores, so the softmax needs no
// exchange between warps, and the weights go from registers into the second product.
#include "kernels/cuda/attention/attention_layout.cuh"
#include "kernels/cuda/attention/attention_own.h"
#include "kernels/cuda/attention/attention_tile.cuh"

namespace stepmark::cuda {
namespace {

using namespace flash;

// Two row blocks per warp: what is read of the keys and values then feeds twice as many products. A
// wide head leaves registers for the scores of 32 keys only.
template <int kHeadDim_, int kKeys_>
struct Tiles {
  static constexpr int kHeadDim = kHeadDim_, kKeys = kKeys_, kRowBlocks = 2;
  static constexpr int kWarpRows = 16 * kRowBlocks, kQueries = kWarps * kWarpRows;
  static constexpr int kQueryElements = kQueries * kHeadDim, kKeyElements = kKeys * kHeadDim;
  // Queries; keys and values of two tiles.
  static constexpr std::size_t kSharedBytes =
      static_cast<std::size_t>(kQueryElements + 4 * kKeyElements) * sizeof(bfloat);
  static_assert(kSharedBytes <= kMostSharedBytes);
  static_assert(kQueries % kKeys == 0, "a tile of queries ends where a tile of keys ends");
};
using NarrowTiles = Tiles<64, 64>;
using WideTiles = Tiles<128, 32>;

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
  // scores into exponents of two. Row maxima are finite: the first tile has key 0.
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

  // Divides by the row's total, and writes the log-sum-exp of the rows below `valid`.
  __device__ void finish(Sums (&sums)[K::kRowBlocks][K::kHeadDim / 8], float scale, float* lse,
                         int valid) {
    const int lane = lane_index();
    STEPMARK_UNROLL
    for (int m = 0; m < K::kRowBlocks; ++m) {
      STEPMARK_UNROLL
      for (int half = 0; half < 2; ++half) {
        float sum = total[m][half];
        sum += __shfl_xor_sync(kFullMask, sum, 1);
        sum += __shfl_xor_sync(kFullMask, sum, 2);
        const int row = 16 * m + 8 * half + lane / 4;
        if (lane % 4 == 0 && row < valid) lse[row] = largest[m][half] * scale + logf(sum);
        const float factor = 1.0F / sum;
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
__device__ void mask(Sums (&scores)[K::kRowBlocks][K::kKeys / 8], int ahead) {
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

template <class K>
__global__ void __launch_bounds__(kThreads)
    flash_fwd_kernel(const bfloat* qkv, bfloat* out, float* lse, AttentionLayout l,
                     AttentionGrid grid) {
  auto* queries = reinterpret_cast<bfloat*>(block_shared());
  bfloat* buffers = queries + K::kQueryElements;

  const auto place = grid.place(blockIdx.x);
  const int kv_head = place.head / l.group();
  const int first_query = (grid.tiles - 1 - place.rank) * K::kQueries;
  const bfloat* keys = qkv + l.key(place.batch, kv_head);
  const bfloat* values = qkv + l.value(place.batch, kv_head);
  const auto copy_keys = [&](int tile) {
    bfloat* to = buffers + tile % 2 * 2 * K::kKeyElements;
    const int first = tile * K::kKeys;
    const std::int64_t offset = first * l.qkv_stride;
    copy_tile<K::kHeadDim, K::kKeys>(to, keys + offset, l.qkv_stride, l.seq - first);
    copy_tile<K::kHeadDim, K::kKeys>(to + K::kKeyElements, values + offset, l.qkv_stride,
                                     l.seq - first);
  };
  copy_tile<K::kHeadDim, K::kQueries>(
      queries, qkv + l.query(place.batch, place.head) + first_query * l.qkv_stride, l.qkv_stride,
      l.seq - first_query);
  copy_keys(0);
  copy_async_commit();

  const int warp_row = warp_index() * K::kWarpRows;
  bfloat* own_tile = queries + warp_row * K::kHeadDim;
  const int own_query = first_query + warp_row;
  const int end_key = first_query + K::kQueries < l.seq ? first_query + K::kQueries : l.seq;
  const int tiles = (end_key + K::kKeys - 1) / K::kKeys;
  Sums sums[K::kRowBlocks][K::kHeadDim / 8] = {};
  Softmax<K> softmax;
  for (int tile = 0; tile < tiles; ++tile) {
    copy_async_wait<0>();
    // This tile is there for all warps, and all are done with the one before.
    __syncthreads();
    if (tile + 1 < tiles) copy_keys(tile + 1);
    copy_async_commit();
    const int ahead = own_query - tile * K::kKeys;
    if (ahead + K::kWarpRows <= 0) continue;  // all keys are behind the warp's queries
    const bfloat* key_tile = buffers + tile % 2 * 2 * K::kKeyElements;
    Sums scores[K::kRowBlocks][K::kKeys / 8] = {};
    add_products<K::kHeadDim, K::kRowBlocks, K::kKeys>(scores, own_tile, key_tile);
    if (ahead < K::kKeys - 1) mask<K>(scores, ahead);
    softmax.take(scores, sums, l.scale * kLog2E);
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

  const int left = l.seq - own_query;
  softmax.finish(sums, l.scale, lse + l.row(place.batch, place.head) + own_query, left);
  store_rows<K::kHeadDim, K::kRowBlocks>(
      out + l.out(place.batch, place.head) + own_query * l.out_stride, l.out_stride, left, sums,
      own_tile);
}

template <class K>
Enqueue prepare_fwd(const AttentionLayout& l, void* const* operands) {
  const AttentionGrid grid(l, l.heads, K::kQueries);
  const Launch config{
      .blocks = blocks_of(grid), .threads = kThreads, .shared_bytes = K::kSharedBytes};
  const auto* qkv = input<bfloat>(operands, 0);
  auto* out = output<bfloat>(operands, 1);
  auto* lse = output<float>(operands, 2);
  return [=](cudaStream_t stream) {
    launch(&flash_fwd_kernel<K>, config, stream, qkv, out, lse, l, grid);
  };
}

}  // namespace

Enqueue prepare_flash_attention_fwd(const OpShape& shape, void* const* operands) {
  const AttentionLayout l(unpack<AttentionFwdShape>(shape));
  return l.head_dim == 64 ? prepare_fwd<NarrowTiles>(l, operands)
                          : prepare_fwd<WideTiles>(l, operands);
}

}  // namespace stepmark::cuda
