// SPDX-License-Identifier: Apache-2.0
// Attention without tensor cores, forward: a block per tile of queries, softmax carried along as
// keys go by (Milakov & Gimelshein, arXiv 1805.02867).
#include "kernels/cuda/attention/attention_own.h"
#include "kernels/cuda/attention/attention_plain.cuh"
#include "kernels/cuda/reduce.cuh"

namespace stepmark::cuda {
namespace {

using namespace plain;

template <class T, int kChunks>
__global__ void __launch_bounds__(kThreads)
    plain_fwd_kernel(const T* qkv, T* out, float* lse, AttentionLayout l, AttentionGrid grid) {
  const int d = l.head_dim, pitch = stream_pitch(d);
  auto* query_tile = reinterpret_cast<float*>(block_shared());
  float* key_tile = query_tile + kOwnRows * d;
  float* value_tile = key_tile + kStreamRows * pitch;
  const int warp = static_cast<int>(threadIdx.x) / static_cast<int>(kWarp);
  const int lane = static_cast<int>(threadIdx.x) % static_cast<int>(kWarp);
  float* weights = value_tile + kStreamRows * pitch + warp * kRowsPerWarp * kStreamRows;

  const auto place = grid.place(blockIdx.x);
  const int kv_head = place.head / l.group();
  const std::int64_t first_query = (grid.tiles - 1 - place.rank) * kOwnRows;
  load_rows<kOwnRows>(query_tile, d,
                      qkv + l.query(place.batch, place.head) + first_query * l.qkv_stride,
                      l.qkv_stride, l.seq - first_query, d);

  float sums[kRowsPerWarp][kChunks] = {}, largest[kRowsPerWarp], total[kRowsPerWarp] = {};
  for (float& m : largest) m = -INFINITY;
  const std::int64_t own_query = first_query + warp * kRowsPerWarp;
  for (std::int64_t first = 0; first < first_query + kOwnRows && first < l.seq;
       first += kStreamRows) {
    const std::int64_t tile = first * l.qkv_stride;
    __syncthreads();
    load_rows<kStreamRows>(key_tile, pitch, qkv + l.key(place.batch, kv_head) + tile, l.qkv_stride,
                           l.seq - first, d);
    load_rows<kStreamRows>(value_tile, pitch, qkv + l.value(place.batch, kv_head) + tile,
                           l.qkv_stride, l.seq - first, d);
    __syncthreads();
    float score[kRowsPerWarp];
    products_of(score, query_tile + warp * kRowsPerWarp * d, key_tile + lane * pitch, d);
    for (int r = 0; r < kRowsPerWarp; ++r) {
      const bool visible = first + lane <= own_query + r;
      const float s = visible ? score[r] * l.scale : -INFINITY;
      // Finite from the first tile on: key 0 is visible to every query.
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

  for (int r = 0; r < kRowsPerWarp; ++r) {
    const std::int64_t query = own_query + r;
    if (query >= l.seq) break;
    store_row(out + l.out(place.batch, place.head) + query * l.out_stride, sums[r], 1.0F / total[r],
              d);
    if (lane == 0) lse[l.row(place.batch, place.head) + query] = largest[r] + logf(total[r]);
  }
}

}  // namespace

Enqueue prepare_plain_attention_fwd(const OpShape& shape, void* const* operands) {
  const AttentionLayout l(unpack<AttentionFwdShape>(shape));
  const AttentionGrid grid(l, l.heads, kOwnRows);
  const unsigned blocks = blocks_of(grid);
  const int floats =
      kOwnRows * l.head_dim + 2 * kStreamRows * stream_pitch(l.head_dim) + kOwnRows * kStreamRows;
  const Launch config{.blocks = blocks,
                      .threads = kThreads,
                      .shared_bytes = static_cast<std::size_t>(floats) * sizeof(float)};
  return with_type(shape.dtype, [&]<class T>(T) -> Enqueue {
    const T* qkv = input<T>(operands, 0);
    T* out = output<T>(operands, 1);
    float* lse = output<float>(operands, 2);
    return with_chunks(l.head_dim, [&](auto chunks) -> Enqueue {
      return [=](cudaStream_t stream) {
        launch(&plain_fwd_kernel<T, chunks>, config, stream, qkv, out, lse, l, grid);
      };
    });
  });
}

}  // namespace stepmark::cuda
