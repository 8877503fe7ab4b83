// SPDX-License-Identifier: Apache-2.0
// Attention on the tensor cores, forward: Dao, arXiv 2307.08691, algorithm 1. A block keeps a tile
// of queries and walks over the tiles of keys and values up to the diagonal, with the next tile on
// its way while one is worked on. A warp owns whole rows of scores, so the softmax needs no
// exchange between warps, and the weights go from registers into the second product.
#include "kernels/cuda/attention/attention_flash_fwd.cuh"
#include "kernels/cuda/attention/attention_layout.cuh"
#include "kernels/cuda/attention/attention_own.h"

namespace stepmark::cuda {
namespace {

using namespace flash;

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
    attend<K>(softmax, sums, own_tile, key_tile, l.scale * kLog2E, [&](auto& scores) {
      if (ahead < K::kKeys - 1) mask<K>(scores, ahead);
    });
  }

  const int left = l.seq - own_query;
  float* own_lse = lse + l.row(place.batch, place.head) + own_query;
  softmax.finish(sums, [&](int m, int h, float largest, float total) {
    const int lane = lane_index(), row = 16 * m + 8 * h + lane / 4;
    if (lane % 4 == 0 && row < left) own_lse[row] = largest * l.scale + logf(total);
    return 1.0F / total;
  });
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
