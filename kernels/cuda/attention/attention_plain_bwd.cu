// SPDX-License-Identifier: Apache-2.0
// Attention without tensor cores, backward. Two kernels of one form: blocks that own queries walk
// over keys and make dQ; blocks that own keys walk over the queries of their group's heads and make
// dK and dV. Every sum has one owner and a fixed order. The scores are computed twice for that.
#include "kernels/cuda/attention/attention_delta.cuh"
#include "kernels/cuda/attention/attention_own.h"
#include "kernels/cuda/attention/attention_plain.cuh"

namespace stepmark::cuda {
namespace {

using namespace plain;

template <class T>
struct Backward {
  const T *dout, *qkv;
  const float *lse, *delta;
  T* dqkv;
};

// Floats of shared memory: two own tiles, two streamed ones, two of weights, two rows of
// statistics.
__host__ __device__ constexpr int shared_floats(int head_dim) {
  return 2 * kOwnRows * head_dim + 2 * kStreamRows * stream_pitch(head_dim) +
         2 * kOwnRows * kStreamRows + 2 * kStreamRows;
}

template <class T, int kChunks, bool kOwnKeys>
__global__ void __launch_bounds__(kThreads)
    plain_bwd_kernel(Backward<T> x, AttentionLayout l, AttentionGrid grid) {
  const int d = l.head_dim, pitch = stream_pitch(d);
  const int warp = static_cast<int>(threadIdx.x) / static_cast<int>(kWarp);
  const int lane = static_cast<int>(threadIdx.x) % static_cast<int>(kWarp);
  // Scores are products of tiles "1" (queries and keys), dP of tiles "2" (dout and values).
  auto* own1 = reinterpret_cast<float*>(block_shared());
  float* own2 = own1 + kOwnRows * d;
  float* stream1 = own2 + kOwnRows * d;
  float* stream2 = stream1 + kStreamRows * pitch;
  float* tile_lse = stream2 + kStreamRows * pitch;
  float* tile_delta = tile_lse + kStreamRows;
  float* weights = tile_delta + kStreamRows + warp * 2 * kRowsPerWarp * kStreamRows;
  float* gradients = weights + kRowsPerWarp * kStreamRows;

  const auto place = grid.place(blockIdx.x);
  // The first keys are seen by most queries, the last queries see most keys.
  const std::int64_t first_own = (kOwnKeys ? place.rank : grid.tiles - 1 - place.rank) * kOwnRows;
  const std::int64_t own_row = first_own + warp * kRowsPerWarp;
  const int kv_head = kOwnKeys ? place.head : place.head / l.group();
  const T* keys = x.qkv + l.key(place.batch, kv_head);
  const T* values = x.qkv + l.value(place.batch, kv_head);
  const int first_head = kOwnKeys ? kv_head * l.group() : place.head;
  const int end_head = kOwnKeys ? first_head + l.group() : first_head + 1;

  float sums1[kRowsPerWarp][kChunks] = {}, sums2[kRowsPerWarp][kChunks] = {};
  for (int head = first_head; head < end_head; ++head) {
    const T* queries = x.qkv + l.query(place.batch, head);
    const T* douts = x.dout + l.out(place.batch, head);
    const float* lse = x.lse + l.row(place.batch, head);
    const float* delta = x.delta + l.row(place.batch, head);
    if (head == first_head) {
      const std::int64_t left = l.seq - first_own;
      load_rows<kOwnRows>(own1, d, (kOwnKeys ? keys : queries) + first_own * l.qkv_stride,
                          l.qkv_stride, left, d);
      const std::int64_t stride2 = kOwnKeys ? l.qkv_stride : l.out_stride;
      load_rows<kOwnRows>(own2, d, (kOwnKeys ? values : douts) + first_own * stride2, stride2, left,
                          d);
    }
    const std::int64_t begin = kOwnKeys ? first_own / kStreamRows * kStreamRows : 0;
    const std::int64_t most = kOwnKeys ? l.seq : first_own + kOwnRows;
    const std::int64_t end = most < l.seq ? most : l.seq;
    for (std::int64_t first = begin; first < end; first += kStreamRows) {
      const std::int64_t left = l.seq - first;
      __syncthreads();
      load_rows<kStreamRows>(stream1, pitch, (kOwnKeys ? queries : keys) + first * l.qkv_stride,
                             l.qkv_stride, left, d);
      const std::int64_t stride2 = kOwnKeys ? l.out_stride : l.qkv_stride;
      load_rows<kStreamRows>(stream2, pitch, (kOwnKeys ? douts : values) + first * stride2, stride2,
                             left, d);
      if (kOwnKeys && warp == 0) {
        tile_lse[lane] = lane < left ? lse[first + lane] : 0.0F;
        tile_delta[lane] = lane < left ? delta[first + lane] : 0.0F;
      }
      __syncthreads();
      float score[kRowsPerWarp], dp[kRowsPerWarp];
      products_of(score, own1 + warp * kRowsPerWarp * d, stream1 + lane * pitch, d);
      products_of(dp, own2 + warp * kRowsPerWarp * d, stream2 + lane * pitch, d);
      for (int r = 0; r < kRowsPerWarp; ++r) {
        const std::int64_t query = kOwnKeys ? first + lane : own_row + r;
        const std::int64_t key = kOwnKeys ? own_row + r : first + lane;
        const bool visible = key <= query && query < l.seq;
        float weight = 0, gradient = 0;
        if (visible) {
          const float row_lse = kOwnKeys ? tile_lse[lane] : lse[query];
          const float row_delta = kOwnKeys ? tile_delta[lane] : delta[query];
          weight = expf(score[r] * l.scale - row_lse);
          gradient = weight * (dp[r] - row_delta) * l.scale;
        }
        weights[r * kStreamRows + lane] = weight;
        gradients[r * kStreamRows + lane] = gradient;
      }
      __syncwarp();
      add_weighted(sums1, gradients, stream1, d);
      if (kOwnKeys) add_weighted(sums2, weights, stream2, d);
    }
  }

  T* to1 = x.dqkv + (kOwnKeys ? l.key(place.batch, kv_head) : l.query(place.batch, place.head));
  T* to2 = x.dqkv + l.value(place.batch, kv_head);
  for (int r = 0; r < kRowsPerWarp; ++r) {
    if (own_row + r >= l.seq) break;
    store_row(to1 + (own_row + r) * l.qkv_stride, sums1[r], 1.0F, d);
    if (kOwnKeys) store_row(to2 + (own_row + r) * l.qkv_stride, sums2[r], 1.0F, d);
  }
}

template <bool kOwnKeys, int kChunks, class T>
void launch_bwd(cudaStream_t stream, const Backward<T>& x, const AttentionLayout& l) {
  const AttentionGrid grid(l, kOwnKeys ? l.kv_heads : l.heads, kOwnRows);
  launch(&plain_bwd_kernel<T, kChunks, kOwnKeys>,
         {.blocks = blocks_of(grid),
          .threads = kThreads,
          .shared_bytes = static_cast<std::size_t>(shared_floats(l.head_dim)) * sizeof(float)},
         stream, x, l, grid);
}

}  // namespace

Enqueue prepare_plain_attention_bwd(const OpShape& shape, void* const* operands,
                                    KernelContext& context) {
  const AttentionLayout l(unpack<AttentionBwdShape>(shape));
  context.scratch()->reserve(delta_bytes(l));
  return with_type(shape.dtype, [&, scratch = context.scratch()]<class T>(T) -> Enqueue {
    Backward<T> x{.dout = input<T>(operands, 0),
                  .qkv = input<T>(operands, 1),
                  .lse = input<float>(operands, 3),
                  .delta = nullptr,
                  .dqkv = output<T>(operands, 4)};
    const T* out = input<T>(operands, 2);
    return with_chunks(l.head_dim, [&](auto chunks) -> Enqueue {
      return [=](cudaStream_t stream) mutable {
        auto* delta = static_cast<float*>(scratch->data());
        x.delta = delta;
        launch_delta<1, 32>(stream, x.dout, out, delta, l);
        launch_bwd<false, chunks>(stream, x, l);
        launch_bwd<true, chunks>(stream, x, l);
      };
    });
  });
}

}  // namespace stepmark::cuda
