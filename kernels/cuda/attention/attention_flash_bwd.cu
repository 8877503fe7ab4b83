// SPDX-License-Identifier: Apache-2.0
// Attention on the tensor cores, backward: the products of Dao, arXiv 2307.08691, algorithm 2, in
// two kernels of one form. Blocks that own queries walk over the keys up to the diagonal and make
// dQ. Blocks that own keys walk over the queries behind them, of all heads of the group, and make
// dK and dV, with scores transposed. So every sum stays in the registers of one warp, in a fixed
// order and without atomics, at the price of computing scores and dP twice.
#include "kernels/cuda/attention/attention_delta.cuh"
#include "kernels/cuda/attention/attention_own.h"
#include "kernels/cuda/attention/attention_tile.cuh"

namespace stepmark::cuda {
namespace {

using namespace flash;

struct Backward {
  const bfloat *dout, *qkv;
  const float *lse, *delta;
  bfloat* dqkv;
};

// Tiles "1" hold queries or keys (their product is the scores), tiles "2" dout or values (dP).
template <int kHeadDim_, bool kOwnKeys_, int kStreamRows_>
struct Tiles {
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

// One head's rows in global memory.
struct Rows {
  const bfloat* from;
  std::int64_t stride;

  __device__ const bfloat* at(int row) const { return from + row * stride; }
};

// scores and dp become P and dS / scale, where the row (of the warp's own 16) and the column see
// each other. `ahead`: the warp's first own row minus the first streamed row. `statistics`: of the
// streamed queries, lse times log2(e) first.
template <class K>
__device__ void differentiate(Sums (&scores)[1][K::kStreamRows / 8],
                              Sums (&dp)[1][K::kStreamRows / 8], int ahead, bool masked,
                              float factor, const float* statistics, const float (&own_lse)[2],
                              const float (&own_delta)[2]) {
  const int g = lane_index() / 4, t = lane_index() % 4;
  STEPMARK_UNROLL
  for (int n = 0; n < K::kStreamRows / 8; ++n) {
    STEPMARK_UNROLL
    for (int j = 0; j < 4; ++j) {
      const int column = 8 * n + 2 * t + j % 2, row = ahead + g + j / 2 * 8;
      const float lse = K::kOwnKeys ? statistics[column] : own_lse[j / 2];
      const float delta = K::kOwnKeys ? statistics[K::kStreamRows + column] : own_delta[j / 2];
      float weight = exp2_approx(__fmaf_rn(scores[0][n][j], factor, -lse));
      if (masked && (K::kOwnKeys ? row > column : column > row)) weight = 0;
      scores[0][n][j] = weight;
      dp[0][n][j] = weight * (dp[0][n][j] - delta);
    }
  }
}

template <class K>
__global__ void __launch_bounds__(kThreads)
    flash_bwd_kernel(Backward x, AttentionLayout l, AttentionGrid grid) {
  auto* own1 = reinterpret_cast<bfloat*>(block_shared());
  bfloat* own2 = own1 + K::kOwnElements;
  bfloat* buffers = own2 + K::kOwnElements;
  auto* statistics = reinterpret_cast<float*>(block_shared() + K::kTileBytes);

  const auto place = grid.place(blockIdx.x);
  const int kv_head = K::kOwnKeys ? place.head : place.head / l.group();
  const int first_head = K::kOwnKeys ? kv_head * l.group() : place.head;
  // The first keys are seen by most queries, the last queries see most keys.
  const int first_own = (K::kOwnKeys ? place.rank : grid.tiles - 1 - place.rank) * K::kOwnRows;
  // The streamed tiles of one head: from `begin` on, `count` of them.
  const int begin = K::kOwnKeys ? first_own : 0;
  const int most = K::kOwnKeys ? l.seq : first_own + K::kOwnRows;
  const int count = ((most < l.seq ? most : l.seq) - begin - 1) / K::kStreamRows + 1;
  const int steps = K::kOwnKeys ? count * l.group() : count;

  const Rows keys{x.qkv + l.key(place.batch, kv_head), l.qkv_stride};
  const Rows values{x.qkv + l.value(place.batch, kv_head), l.qkv_stride};
  const auto queries = [&](int head) {
    return Rows{x.qkv + l.query(place.batch, head), l.qkv_stride};
  };
  const auto douts = [&](int head) {
    return Rows{x.dout + l.out(place.batch, head), l.out_stride};
  };
  const auto copy_stream = [&](int step) {
    const int head = first_head + step / count, first = begin + step % count * K::kStreamRows;
    bfloat* to = buffers + step % 2 * 2 * K::kStreamElements;
    const Rows rows1 = K::kOwnKeys ? queries(head) : keys;
    const Rows rows2 = K::kOwnKeys ? douts(head) : values;
    copy_tile<K::kHeadDim, K::kStreamRows>(to, rows1.at(first), rows1.stride, l.seq - first);
    copy_tile<K::kHeadDim, K::kStreamRows>(to + K::kStreamElements, rows2.at(first), rows2.stride,
                                           l.seq - first);
    if (K::kOwnKeys && threadIdx.x < K::kStatistics) {
      const int which = static_cast<int>(threadIdx.x);
      const int query = first + which % K::kStreamRows;
      const bool is_lse = which < K::kStreamRows, exists = query < l.seq;
      // Queries that do not exist: an infinite lse makes all their weights 0.
      float value = is_lse ? INFINITY : 0.0F;
      if (exists) {
        value = (is_lse ? x.lse : x.delta)[l.row(place.batch, head) + query];
        if (is_lse) value *= kLog2E;
      }
      statistics[step % 2 * K::kStatistics + which] = value;
    }
  };
  {
    const Rows rows1 = K::kOwnKeys ? keys : queries(first_head);
    const Rows rows2 = K::kOwnKeys ? values : douts(first_head);
    copy_tile<K::kHeadDim, K::kOwnRows>(own1, rows1.at(first_own), rows1.stride, l.seq - first_own);
    copy_tile<K::kHeadDim, K::kOwnRows>(own2, rows2.at(first_own), rows2.stride, l.seq - first_own);
  }
  copy_stream(0);
  copy_async_commit();

  const int own_row = first_own + 16 * warp_index();
  own1 += 16 * warp_index() * K::kHeadDim;
  own2 += 16 * warp_index() * K::kHeadDim;
  float own_lse[2] = {}, own_delta[2] = {};
  if (!K::kOwnKeys) {
    for (int half = 0; half < 2; ++half) {
      const int query = own_row + 8 * half + lane_index() / 4;
      const bool exists = query < l.seq;
      const std::int64_t at = l.row(place.batch, first_head) + query;
      own_lse[half] = exists ? x.lse[at] * kLog2E : INFINITY;
      own_delta[half] = exists ? x.delta[at] : 0.0F;
    }
  }

  Sums sums1[1][K::kHeadDim / 8] = {}, sums2[1][K::kHeadDim / 8] = {};
  for (int step = 0; step < steps; ++step) {
    copy_async_wait<0>();
    // This step's tiles are there for all warps, and all are done with those before.
    __syncthreads();
    if (step + 1 < steps) copy_stream(step + 1);
    copy_async_commit();
    const int ahead = own_row - begin - step % count * K::kStreamRows;
    // No own row and streamed row see each other.
    if (K::kOwnKeys ? ahead >= K::kStreamRows : ahead + 16 <= 0) continue;
    const bool masked = K::kOwnKeys ? ahead + 15 > 0 : ahead < K::kStreamRows - 1;
    const bfloat* stream1 = buffers + step % 2 * 2 * K::kStreamElements;
    const bfloat* stream2 = stream1 + K::kStreamElements;
    Sums scores[1][K::kStreamRows / 8] = {}, dp[1][K::kStreamRows / 8] = {};
    add_products<K::kHeadDim, 1, K::kStreamRows>(scores, own1, stream1);
    add_products<K::kHeadDim, 1, K::kStreamRows>(dp, own2, stream2);
    differentiate<K>(scores, dp, ahead, masked, l.scale * kLog2E,
                     statistics + step % 2 * K::kStatistics, own_lse, own_delta);
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

  STEPMARK_UNROLL
  for (int n = 0; n < K::kHeadDim / 8; ++n) {
    STEPMARK_UNROLL
    for (int j = 0; j < 4; ++j) sums1[0][n][j] *= l.scale;
  }
  const int left = l.seq - own_row;
  bfloat* to1 =
      x.dqkv + (K::kOwnKeys ? l.key(place.batch, kv_head) : l.query(place.batch, first_head));
  store_rows<K::kHeadDim, 1>(to1 + own_row * l.qkv_stride, l.qkv_stride, left, sums1, own1);
  if (K::kOwnKeys) {
    store_rows<K::kHeadDim, 1>(x.dqkv + l.value(place.batch, kv_head) + own_row * l.qkv_stride,
                               l.qkv_stride, left, sums2, own2);
  }
}

template <class K>
void launch_bwd(cudaStream_t stream, const Backward& x, const AttentionLayout& l) {
  const AttentionGrid grid(l, K::kOwnKeys ? l.kv_heads : l.heads, K::kOwnRows);
  launch(&flash_bwd_kernel<K>,
         {.blocks = blocks_of(grid), .threads = kThreads, .shared_bytes = K::kSharedBytes}, stream,
         x, l, grid);
}

// kKeyStream, kQueryStream: rows of a streamed tile of keys, of queries. dK and dV of a wide head
// leave registers for the scores of 32 queries only.
template <int kHeadDim, int kKeyStream, int kQueryStream>
Enqueue prepare_bwd(const AttentionLayout& l, void* const* operands, KernelContext& context) {
  context.scratch()->reserve(delta_bytes(l));
  const Backward operand{.dout = input<bfloat>(operands, 0),
                         .qkv = input<bfloat>(operands, 1),
                         .lse = input<float>(operands, 3),
                         .delta = nullptr,
                         .dqkv = output<bfloat>(operands, 4)};
  return [operand, l, out = input<bfloat>(operands, 2),
          scratch = context.scratch()](cudaStream_t stream) {
    auto* delta = static_cast<float*>(scratch->data());
    Backward x = operand;
    x.delta = delta;
    launch_delta<kChunk, kHeadDim / kChunk>(stream, x.dout, out, delta, l);
    launch_bwd<Tiles<kHeadDim, false, kKeyStream>>(stream, x, l);
    launch_bwd<Tiles<kHeadDim, true, kQueryStream>>(stream, x, l);
  };
}

}  // namespace

Enqueue prepare_flash_attention_bwd(const OpShape& shape, void* const* operands,
                                    KernelContext& context) {
  const AttentionLayout l(unpack<AttentionBwdShape>(shape));
  return l.head_dim == 64 ? prepare_bwd<64, 64, 64>(l, operands, context)
                          : prepare_bwd<128, 64, 32>(l, operands, context);
}

}  // namespace stepmark::cuda
