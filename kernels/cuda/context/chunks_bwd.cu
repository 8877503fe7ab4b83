// SPDX-License-Identifier: Apache-2.0
// Attention over chunks without tensor cores, backward, in the form of
// kernels/cuda/attention/attention_plain_bwd.cu: blocks that own queries walk over the chunks of
// keys and make dQ; blocks that own keys walk over the chunks of queries of their group's heads and
// make dK and dV.
#include "kernels/cuda/attention/attention_delta.cuh"
#include "kernels/cuda/attention/attention_plain.cuh"
#include "kernels/cuda/context/context_attention.h"
#include "kernels/cuda/context/context_layout.cuh"

namespace stepmark::cuda {
namespace {

using namespace plain;

template <class T>
struct Backward {
  const T *dout, *qkv, *kv;
  const float *lse, *delta;
  float *dq, *dkv;
};

// Floats of shared memory: two own tiles, two streamed ones, two of weights, two rows of
// statistics.
__host__ __device__ constexpr int shared_floats(int head_dim) {
  return 2 * kOwnRows * head_dim + 2 * kStreamRows * stream_pitch(head_dim) +
         2 * kOwnRows * kStreamRows + 2 * kStreamRows;
}

template <class T, int kChunks, bool kOwnKeys>
__global__ void __launch_bounds__(kThreads)
    chunks_bwd_kernel(Backward<T> x, ChunksLayout l, ChunksGrid grid) {
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
  const int b = place.batch, first_own = place.tile * kOwnRows, left_own = l.chunk - first_own;
  const int own_row = first_own + warp * kRowsPerWarp;
  const int kv_head = kOwnKeys ? place.head : place.head / l.group();
  const int first_head = kOwnKeys ? kv_head * l.group() : place.head;
  const int end_head = kOwnKeys ? first_head + l.group() : first_head + 1;
  const int own_chunk = kOwnKeys ? l.key_chunk(place.chunk) : l.query_chunk(place.chunk);
  if (kOwnKeys) {
    load_rows<kOwnRows>(own1, d, x.kv + l.key(b, kv_head, place.chunk) + first_own * l.kv_stride,
                        l.kv_stride, left_own, d);
    load_rows<kOwnRows>(own2, d, x.kv + l.value(b, kv_head, place.chunk) + first_own * l.kv_stride,
                        l.kv_stride, left_own, d);
  } else {
    load_rows<kOwnRows>(own1, d,
                        x.qkv + l.query(b, place.head, place.chunk) + first_own * l.qkv_stride,
                        l.qkv_stride, left_own, d);
    load_rows<kOwnRows>(own2, d,
                        x.dout + l.out(b, place.head, place.chunk) + first_own * l.out_stride,
                        l.out_stride, left_own, d);
  }

  float sums1[kRowsPerWarp][kChunks] = {}, sums2[kRowsPerWarp][kChunks] = {};
  const int streamed = kOwnKeys ? 2 : l.segments();
  for (int head = first_head; head < end_head; ++head) {
    for (int part = 0; part < streamed; ++part) {
      const int half = kOwnKeys ? part : place.chunk, segment = kOwnKeys ? place.chunk : part;
      const int other = kOwnKeys ? l.query_chunk(part) : l.key_chunk(part);
      if (kOwnKeys ? other < own_chunk : other > own_chunk) continue;
      const bool diagonal = other == own_chunk;
      const float* lse = x.lse + l.row(b, head, half);
      const float* delta = x.delta + l.row(b, head, half);
      const int begin = kOwnKeys && diagonal ? first_own / kStreamRows * kStreamRows : 0;
      const int end =
          !kOwnKeys && diagonal && first_own + kOwnRows < l.chunk ? first_own + kOwnRows : l.chunk;
      for (int first = begin; first < end; first += kStreamRows) {
        const int left = l.chunk - first;
        __syncthreads();
        if (kOwnKeys) {
          load_rows<kStreamRows>(stream1, pitch,
                                 x.qkv + l.query(b, head, half) + first * l.qkv_stride,
                                 l.qkv_stride, left, d);
          load_rows<kStreamRows>(stream2, pitch,
                                 x.dout + l.out(b, head, half) + first * l.out_stride, l.out_stride,
                                 left, d);
        } else {
          load_rows<kStreamRows>(stream1, pitch,
                                 x.kv + l.key(b, kv_head, segment) + first * l.kv_stride,
                                 l.kv_stride, left, d);
          load_rows<kStreamRows>(stream2, pitch,
                                 x.kv + l.value(b, kv_head, segment) + first * l.kv_stride,
                                 l.kv_stride, left, d);
        }
        if (kOwnKeys && warp == 0) {
          tile_lse[lane] = lane < left ? lse[first + lane] : 0.0F;
          tile_delta[lane] = lane < left ? delta[first + lane] : 0.0F;
        }
        __syncthreads();
        float score[kRowsPerWarp], dp[kRowsPerWarp];
        products_of(score, own1 + warp * kRowsPerWarp * d, stream1 + lane * pitch, d);
        products_of(dp, own2 + warp * kRowsPerWarp * d, stream2 + lane * pitch, d);
        for (int r = 0; r < kRowsPerWarp; ++r) {
          const int query = kOwnKeys ? first + lane : own_row + r;
          const int key = kOwnKeys ? own_row + r : first + lane;
          const bool visible = query < l.chunk && key < l.chunk && (!diagonal || key <= query);
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
  }

  for (int r = 0; r < kRowsPerWarp; ++r) {
    const int row = own_row + r;
    if (row >= l.chunk) break;
    if (kOwnKeys) {
      store_row(x.dkv + l.key(b, kv_head, place.chunk) + row * l.kv_stride, sums1[r], 1.0F, d);
      store_row(x.dkv + l.value(b, kv_head, place.chunk) + row * l.kv_stride, sums2[r], 1.0F, d);
      continue;
    }
    float* to = x.dq + l.out(b, place.head, place.chunk) + row * l.out_stride;
    for (int c = 0; c < kChunks; ++c) {
      const int i = lane + c * static_cast<int>(kWarp);
      if (i < d) to[i] = sums1[r][c] + (l.accumulate ? to[i] : 0.0F);
    }
  }
}

template <bool kOwnKeys, int kChunks, class T>
void launch_bwd(cudaStream_t stream, const Backward<T>& x, const ChunksLayout& l) {
  const ChunksGrid grid(l, kOwnKeys ? l.kv_heads : l.heads, kOwnRows);
  launch(&chunks_bwd_kernel<T, kChunks, kOwnKeys>,
         {.blocks = grid.blocks(kOwnKeys ? l.segments() : 2),
          .threads = kThreads,
          .shared_bytes = static_cast<std::size_t>(shared_floats(l.head_dim)) * sizeof(float)},
         stream, x, l, grid);
}

}  // namespace

Enqueue prepare_plain_chunks_bwd(const OpShape& shape, void* const* operands,
                                 KernelContext& context) {
  const auto s = unpack<AttentionChunksBwdShape>(shape);
  const ChunksLayout l(s);
  const AttentionLayout rows = rows_of_pair(s);
  context.scratch()->reserve(delta_bytes(rows));
  return with_type(shape.dtype, [&, scratch = context.scratch()]<class T>(T) -> Enqueue {
    Backward<T> x{.dout = input<T>(operands, 0),
                  .qkv = input<T>(operands, 1),
                  .kv = input<T>(operands, 2),
                  .lse = input<float>(operands, 4),
                  .delta = nullptr,
                  .dq = output<float>(operands, 5),
                  .dkv = output<float>(operands, 6)};
    const T* out = input<T>(operands, 3);
    return with_chunks(l.head_dim, [&](auto chunks) -> Enqueue {
      return [=](cudaStream_t stream) mutable {
        auto* delta = static_cast<float*>(scratch->data());
        x.delta = delta;
        launch_delta<1, 32>(stream, x.dout, out, delta, rows);
        launch_bwd<false, chunks>(stream, x, l);
        launch_bwd<true, chunks>(stream, x, l);
      };
    });
  });
}

}  // namespace stepmark::cuda
