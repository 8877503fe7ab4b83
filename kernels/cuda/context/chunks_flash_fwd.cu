// SPDX-License-Identifier: Apache-2.0
// Attention over chunks on the tensor cores, forward, in the form of
// kernels/cuda/attention/attention_flash_fwd.cu: a block keeps a tile of queries of one chunk and
// walks over the tiles of all chunks of keys that are not later; at the end the result is merged
// with what other keys have left.
#include "kernels/cuda/attention/attention_flash_fwd.cuh"
#include "kernels/cuda/context/chunks_flash.cuh"
#include "kernels/cuda/context/context_attention.h"

namespace stepmark::cuda {
namespace {

using namespace flash;

// Hides the tile's keys from `valid` on, which lie beyond the chunk.
template <class K>
__device__ void hide_beyond(Sums (&scores)[K::kRowBlocks][K::kKeys / 8], int valid) {
  const int t = lane_index() % 4;
  STEPMARK_UNROLL
  for (int n = 0; n < K::kKeys / 8; ++n) {
    STEPMARK_UNROLL
    for (int j = 0; j < 4; ++j) {
      if (8 * n + 2 * t + j % 2 < valid) continue;
      STEPMARK_UNROLL
      for (int m = 0; m < K::kRowBlocks; ++m) scores[m][n][j] = -INFINITY;
    }
  }
}

template <class K, class Out>
__global__ void __launch_bounds__(kThreads)
    chunks_flash_fwd_kernel(const bfloat* qkv, const bfloat* kv, Out* out, float* lse,
                            ChunksLayout l, ChunksGrid grid) {
  auto* queries = reinterpret_cast<bfloat*>(block_shared());
  bfloat* buffers = queries + K::kQueryElements;

  // What sees the most keys comes first: the later half, and of it the last queries.
  const auto place = grid.place(blockIdx.x);
  const int own_half = 1 - place.chunk, kv_head = place.head / l.group();
  const int first_query = (grid.tiles - 1 - place.tile) * K::kQueries;
  ChunksWalk<false, K::kQueries, K::kKeys> walk(l, l.query_chunk(own_half), first_query);
  // The first key of a chunk that is seen at all is seen by all queries.
  const bool any = !walk.ended();
  if (!any && l.accumulate) return;

  const auto copy_keys = [&](int buffer) {
    bfloat* to = buffers + buffer * 2 * K::kKeyElements;
    const std::int64_t offset = walk.row() * l.kv_stride;
    const int left = l.chunk - walk.row();
    copy_tile<K::kHeadDim, K::kKeys>(to, kv + l.key(place.batch, kv_head, walk.part()) + offset,
                                     l.kv_stride, left);
    copy_tile<K::kHeadDim, K::kKeys>(to + K::kKeyElements,
                                     kv + l.value(place.batch, kv_head, walk.part()) + offset,
                                     l.kv_stride, left);
  };
  if (any) {
    copy_tile<K::kHeadDim, K::kQueries>(
        queries, qkv + l.query(place.batch, place.head, own_half) + first_query * l.qkv_stride,
        l.qkv_stride, l.chunk - first_query);
    copy_keys(0);
  }
  copy_async_commit();

  const int warp_row = warp_index() * K::kWarpRows, own_query = first_query + warp_row;
  bfloat* own_tile = queries + warp_row * K::kHeadDim;
  Sums sums[K::kRowBlocks][K::kHeadDim / 8] = {};
  Softmax<K> softmax;
  for (int buffer = 0; !walk.ended(); buffer ^= 1) {
    copy_async_wait<0>();
    // This tile is there for all warps, and all are done with the one before.
    __syncthreads();
    const int ahead = walk.ahead(own_query), valid = l.chunk - walk.row();
    walk.advance();
    if (!walk.ended()) copy_keys(buffer ^ 1);
    copy_async_commit();
    if (ahead + K::kWarpRows <= 0) continue;  // all keys are behind the warp's queries
    attend<K>(softmax, sums, own_tile, buffers + buffer * 2 * K::kKeyElements, l.scale * kLog2E,
              [&](auto& scores) {
                if (ahead < K::kKeys - 1) mask<K>(scores, ahead);
                if (valid < K::kKeys) hide_beyond<K>(scores, valid);
              });
  }

  const int left = l.chunk - own_query;
  float* own_lse = lse + l.row(place.batch, place.head, own_half) + own_query;
  float kept[K::kRowBlocks][2];
  softmax.finish(sums, [&](int m, int h, float largest, float total) {
    const int lane = lane_index(), row = 16 * m + 8 * h + lane / 4;
    float both = any ? largest * l.scale + logf(total) : -INFINITY;
    float fresh = any ? 1.0F / total : 0.0F;
    kept[m][h] = 0;
    if (l.accumulate) {
      const float before = row < left ? own_lse[row] : 0.0F, added = both;
      const float most = fmaxf(before, added);
      both = most + logf(expf(before - most) + expf(added - most));
      kept[m][h] = expf(before - both);
      fresh *= expf(added - both);
      __syncwarp();  // all lanes of the row have read what one of them writes
    }
    if (lane % 4 == 0 && row < left) own_lse[row] = both;
    return fresh;
  });
  Out* to = out + l.out(place.batch, place.head, own_half) + own_query * l.out_stride;
  if constexpr (std::is_same_v<Out, float>) {
    store_rows_f32<K::kHeadDim, K::kRowBlocks>(to, l.out_stride, left, sums, l.accumulate,
                                               [&](int m, int h) { return kept[m][h]; });
  } else {
    store_rows<K::kHeadDim, K::kRowBlocks>(to, l.out_stride, left, sums, own_tile);
  }
}

template <class K, class Out>
Enqueue prepare_fwd(const ChunksLayout& l, void* const* operands) {
  const ChunksGrid grid(l, l.heads, K::kQueries);
  const Launch config{
      .blocks = grid.blocks(2), .threads = kThreads, .shared_bytes = K::kSharedBytes};
  return [=, qkv = input<bfloat>(operands, 0), kv = input<bfloat>(operands, 1),
          out = output<Out>(operands, 2), lse = output<float>(operands, 3)](cudaStream_t stream) {
    launch(&chunks_flash_fwd_kernel<K, Out>, config, stream, qkv, kv, out, lse, l, grid);
  };
}

}  // namespace

Enqueue prepare_flash_chunks_fwd(const OpShape& shape, void* const* operands) {
  const auto s = unpack<AttentionChunksFwdShape>(shape);
  const ChunksLayout l(s);
  const auto into = [&]<class Out>(Out) {
    return l.head_dim == 64 ? prepare_fwd<NarrowTiles, Out>(l, operands)
                            : prepare_fwd<WideTiles, Out>(l, operands);
  };
  return s.out_f32 != 0 ? into(float{}) : into(bfloat{});
}

}  // namespace stepmark::cuda
