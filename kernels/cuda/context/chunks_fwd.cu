// SPDX-License-Identifier: Apache-2.0
// Attention over chunks without tensor cores, forward: a block per tile of queries of one chunk,
// softmax carried along as the keys of all chunks that are not later go by; at the end the result
// is merged with what other keys have left.
#include "kernels/cuda/attention/attention_plain.cuh"
#include "kernels/cuda/context/context_attention.h"
#include "kernels/cuda/context/context_layout.cuh"
#include "kernels/cuda/reduce.cuh"

namespace stepmark::cuda {
namespace {

using namespace plain;

template <class T, class Out, int kChunks>
__global__ void __launch_bounds__(kThreads)
    chunks_fwd_kernel(const T* qkv, const T* kv, Out* out, float* lse, ChunksLayout l,
                      ChunksGrid grid) {
  const int d = l.head_dim, pitch = stream_pitch(d);
  auto* query_tile = reinterpret_cast<float*>(block_shared());
  float* key_tile = query_tile + kOwnRows * d;
  float* value_tile = key_tile + kStreamRows * pitch;
  const int warp = static_cast<int>(threadIdx.x) / static_cast<int>(kWarp);
  const int lane = static_cast<int>(threadIdx.x) % static_cast<int>(kWarp);
  float* weights = value_tile + kStreamRows * pitch + warp * kRowsPerWarp * kStreamRows;

  const auto place = grid.place(blockIdx.x);
  const int half = place.chunk, own_chunk = l.query_chunk(half), kv_head = place.head / l.group();
  const int first_query = place.tile * kOwnRows, own_query = first_query + warp * kRowsPerWarp;
  load_rows<kOwnRows>(query_tile, d,
                      qkv + l.query(place.batch, place.head, half) + first_query * l.qkv_stride,
                      l.qkv_stride, l.chunk - first_query, d);

  float sums[kRowsPerWarp][kChunks] = {}, largest[kRowsPerWarp], total[kRowsPerWarp] = {};
  for (float& m : largest) m = -INFINITY;
  bool any = false;
  for (int segment = 0; segment < l.segments(); ++segment) {
    const int chunk = l.key_chunk(segment);
    if (chunk > own_chunk) continue;
    any = true;
    const bool diagonal = chunk == own_chunk;
    const int end = diagonal && first_query + kOwnRows < l.chunk ? first_query + kOwnRows : l.chunk;
    for (int first = 0; first < end; first += kStreamRows) {
      const std::int64_t tile = first * l.kv_stride;
      __syncthreads();
      load_rows<kStreamRows>(key_tile, pitch, kv + l.key(place.batch, kv_head, segment) + tile,
                             l.kv_stride, l.chunk - first, d);
      load_rows<kStreamRows>(value_tile, pitch, kv + l.value(place.batch, kv_head, segment) + tile,
                             l.kv_stride, l.chunk - first, d);
      __syncthreads();
      float score[kRowsPerWarp];
      products_of(score, query_tile + warp * kRowsPerWarp * d, key_tile + lane * pitch, d);
      for (int r = 0; r < kRowsPerWarp; ++r) {
        const int key = first + lane;
        const bool visible = key < l.chunk && (!diagonal || key <= own_query + r);
        const float s = visible ? score[r] * l.scale : -INFINITY;
        // Finite from the first tile on: the first key of a chunk is visible to all.
        const float new_largest = Max{}(largest[r], warp_reduce<Max>(s));
        const float weight = visible ? expf(s - new_largest) : 0.0F;
        const float keep = expf(largest[r] - new_largest);
        largest[r] = new_largest;
        total[r] = total[r] * keep + warp_reduce<Sum>(weight);
        for (float& sum : sums[r]) sum *= keep;
        weights[r * kStreamRows + lane] = weight;
      }
      __syncwarp();
      add_weighted(sums, weights, value_tile, d);
    }
  }

  if (!any && l.accumulate) return;
  for (int r = 0; r < kRowsPerWarp; ++r) {
    const int query = own_query + r;
    if (query >= l.chunk) break;
    Out* to = out + l.out(place.batch, place.head, half) + query * l.out_stride;
    float& row_lse = lse[l.row(place.batch, place.head, half) + query];
    const float fresh_lse = any ? largest[r] + logf(total[r]) : -INFINITY;
    float fresh = any ? 1.0F / total[r] : 0.0F, old = 0.0F, both = fresh_lse;
    if (l.accumulate) {
      const float before = row_lse, most = Max{}(before, fresh_lse);
      both = most + logf(expf(before - most) + expf(fresh_lse - most));
      fresh *= expf(fresh_lse - both);
      old = expf(before - both);
    }
    for (int c = 0; c < kChunks; ++c) {
      const int i = lane + c * static_cast<int>(kWarp);
      if (i >= d) continue;
      const float kept = l.accumulate ? load(to[i]) * old : 0.0F;
      store(to[i], kept + sums[r][c] * fresh);
    }
    __syncwarp();
    if (lane == 0) row_lse = both;
  }
}

}  // namespace

Enqueue prepare_plain_chunks_fwd(const OpShape& shape, void* const* operands) {
  const auto s = unpack<AttentionChunksFwdShape>(shape);
  const ChunksLayout l(s);
  const ChunksGrid grid(l, l.heads, kOwnRows);
  const int floats =
      kOwnRows * l.head_dim + 2 * kStreamRows * stream_pitch(l.head_dim) + kOwnRows * kStreamRows;
  const Launch config{.blocks = grid.blocks(2),
                      .threads = kThreads,
                      .shared_bytes = static_cast<std::size_t>(floats) * sizeof(float)};
  return with_type(shape.dtype, [&]<class T>(T) -> Enqueue {
    const T *qkv = input<T>(operands, 0), *kv = input<T>(operands, 1);
    float* lse = output<float>(operands, 3);
    const auto into = [&]<class Out>(Out* out) -> Enqueue {
      return with_chunks(l.head_dim, [&](auto chunks) -> Enqueue {
        return [=](cudaStream_t stream) {
          launch(&chunks_fwd_kernel<T, Out, chunks>, config, stream, qkv, kv, out, lse, l, grid);
        };
      });
    };
    return s.out_f32 != 0 ? into(output<float>(operands, 2)) : into(output<T>(operands, 2));
  });
}

}  // namespace stepmark::cuda
