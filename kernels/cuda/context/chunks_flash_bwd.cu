// SPDX-License-Identifier: Apache-2.0
// Attention over chunks on the tensor cores, backward, in the form of
// kernels/cuda/attention/attention_flash_bwd.cu: blocks that own queries walk over the chunks of
// keys that are not later and make dQ; blocks that own keys walk over the chunks of queries, of
// all heads of the group, that are not earlier and make dK and dV.
#include "kernels/cuda/attention/attention_delta.cuh"
#include "kernels/cuda/attention/attention_flash_bwd.cuh"
#include "kernels/cuda/context/chunks_flash.cuh"
#include "kernels/cuda/context/context_attention.h"

namespace stepmark::cuda {
namespace {

using namespace flash;

struct Backward {
  const bfloat *dout, *qkv, *kv;
  const float *lse, *delta;
  float *dq, *dkv;
};

template <class K>
__global__ void __launch_bounds__(kThreads)
    chunks_flash_bwd_kernel(Backward x, ChunksLayout l, ChunksGrid grid) {
  auto* own1 = reinterpret_cast<bfloat*>(block_shared());
  bfloat* own2 = own1 + K::kOwnElements;
  bfloat* buffers = own2 + K::kOwnElements;
  auto* statistics = reinterpret_cast<float*>(block_shared() + K::kTileBytes);

  // What has most to do comes first: late queries see most keys, early keys are seen by most.
  const auto place = grid.place(blockIdx.x);
  const int own_part = K::kOwnKeys ? l.segment_in_order(place.chunk) : 1 - place.chunk;
  const int first_own = (K::kOwnKeys ? place.tile : grid.tiles - 1 - place.tile) * K::kOwnRows;
  const int kv_head = K::kOwnKeys ? place.head : place.head / l.group();
  ChunksWalk<K::kOwnKeys, K::kOwnRows, K::kStreamRows> walk(
      l, K::kOwnKeys ? l.key_chunk(own_part) : l.query_chunk(own_part), first_own);
  if (!K::kOwnKeys && l.accumulate && walk.ended()) return;

  const auto keys = [&](int segment) {
    return Rows{x.kv + l.key(place.batch, kv_head, segment), l.kv_stride};
  };
  const auto values = [&](int segment) {
    return Rows{x.kv + l.value(place.batch, kv_head, segment), l.kv_stride};
  };
  const auto queries = [&](int head, int in_pair) {
    return Rows{x.qkv + l.query(place.batch, head, in_pair), l.qkv_stride};
  };
  const auto douts = [&](int head, int in_pair) {
    return Rows{x.dout + l.out(place.batch, head, in_pair), l.out_stride};
  };
  const auto copy_stream = [&](int buffer) {
    const int part = walk.part(), first = walk.row(), left = l.chunk - first;
    // Where keys are owned, which half of which head's queries goes by.
    const int head = kv_head * l.group() + part / 2, in_pair = part % 2;
    bfloat* to = buffers + buffer * 2 * K::kStreamElements;
    const Rows rows1 = K::kOwnKeys ? queries(head, in_pair) : keys(part);
    const Rows rows2 = K::kOwnKeys ? douts(head, in_pair) : values(part);
    copy_tile<K::kHeadDim, K::kStreamRows>(to, rows1.at(first), rows1.stride, left);
    copy_tile<K::kHeadDim, K::kStreamRows>(to + K::kStreamElements, rows2.at(first), rows2.stride,
                                           left);
    if (K::kOwnKeys) {
      copy_statistics<K>(statistics + buffer * K::kStatistics, x.lse, x.delta,
                         l.row(place.batch, head, in_pair), first, l.chunk);
    }
  };
  if (!walk.ended()) {
    const Rows rows1 = K::kOwnKeys ? keys(own_part) : queries(place.head, own_part);
    const Rows rows2 = K::kOwnKeys ? values(own_part) : douts(place.head, own_part);
    const int left = l.chunk - first_own;
    copy_tile<K::kHeadDim, K::kOwnRows>(own1, rows1.at(first_own), rows1.stride, left);
    copy_tile<K::kHeadDim, K::kOwnRows>(own2, rows2.at(first_own), rows2.stride, left);
    copy_stream(0);
  }
  copy_async_commit();

  const int own_row = first_own + 16 * warp_index();
  own1 += 16 * warp_index() * K::kHeadDim;
  own2 += 16 * warp_index() * K::kHeadDim;
  OwnStatistics own = {};
  if (!K::kOwnKeys) {
    const std::int64_t row = l.row(place.batch, place.head, own_part);
    own = own_statistics(x.lse, x.delta, row, own_row, l.chunk);
  }

  Sums sums1[1][K::kHeadDim / 8] = {}, sums2[1][K::kHeadDim / 8] = {};
  for (int buffer = 0; !walk.ended(); buffer ^= 1) {
    copy_async_wait<0>();
    // This tile is there for all warps, and all are done with the one before.
    __syncthreads();
    const int ahead = walk.ahead(own_row), valid = l.chunk - walk.row();
    walk.advance();
    if (!walk.ended()) copy_stream(buffer ^ 1);
    copy_async_commit();
    // No own row and streamed row see each other.
    if (K::kOwnKeys ? ahead >= K::kStreamRows : ahead + 16 <= 0) continue;
    // Queries beyond the chunk have weights of 0; those of keys beyond it may be infinite.
    const bool masked =
        K::kOwnKeys ? ahead + 15 > 0 : ahead < K::kStreamRows - 1 || valid < K::kStreamRows;
    add_gradients<K>(sums1, sums2, own1, own2, buffers + buffer * 2 * K::kStreamElements, ahead,
                     masked, l.scale * kLog2E, statistics + buffer * K::kStatistics, own,
                     [&](int row, int column) {
                       return hidden<K>(row, column) || (!K::kOwnKeys && column >= valid);
                     });
  }

  scale_sums<K::kHeadDim>(sums1, l.scale);
  const int left = l.chunk - own_row;
  const auto all = [](int, int) { return 1.0F; };
  if (K::kOwnKeys) {
    float* to = x.dkv + own_row * l.kv_stride;
    store_rows_f32<K::kHeadDim, 1>(to + l.key(place.batch, kv_head, own_part), l.kv_stride, left,
                                   sums1, false, all);
    store_rows_f32<K::kHeadDim, 1>(to + l.value(place.batch, kv_head, own_part), l.kv_stride, left,
                                   sums2, false, all);
  } else {
    store_rows_f32<K::kHeadDim, 1>(
        x.dq + l.out(place.batch, place.head, own_part) + own_row * l.out_stride, l.out_stride,
        left, sums1, l.accumulate, all);
  }
}

template <class K>
void launch_bwd(cudaStream_t stream, const Backward& x, const ChunksLayout& l) {
  const ChunksGrid grid(l, K::kOwnKeys ? l.kv_heads : l.heads, K::kOwnRows);
  launch(&chunks_flash_bwd_kernel<K>,
         {.blocks = grid.blocks(K::kOwnKeys ? l.segments() : 2),
          .threads = kThreads,
          .shared_bytes = K::kSharedBytes},
         stream, x, l, grid);
}

template <int kHeadDim>
Enqueue prepare_bwd(const AttentionChunksBwdShape& s, void* const* operands,
                    KernelContext& context) {
  const AttentionLayout rows = rows_of_pair(s);
  context.scratch()->reserve(delta_bytes(rows));
  const Backward operand{.dout = input<bfloat>(operands, 0),
                         .qkv = input<bfloat>(operands, 1),
                         .kv = input<bfloat>(operands, 2),
                         .lse = input<float>(operands, 4),
                         .delta = nullptr,
                         .dq = output<float>(operands, 5),
                         .dkv = output<float>(operands, 6)};
  return [operand, rows, l = ChunksLayout(s), out = input<bfloat>(operands, 3),
          scratch = context.scratch()](cudaStream_t stream) {
    auto* delta = static_cast<float*>(scratch->data());
    Backward x = operand;
    x.delta = delta;
    launch_delta<kChunk, kHeadDim / kChunk>(stream, x.dout, out, delta, rows);
    launch_bwd<QueryOwner<kHeadDim>>(stream, x, l);
    launch_bwd<KeyOwner<kHeadDim>>(stream, x, l);
  };
}

}  // namespace

Enqueue prepare_flash_chunks_bwd(const OpShape& shape, void* const* operands,
                                 KernelContext& context) {
  const auto s = unpack<AttentionChunksBwdShape>(shape);
  return s.head_dim == 64 ? prepare_bwd<64>(s, operands, context)
                          : prepare_bwd<128>(s, operands, context);
}

}  // namespace stepmark::cuda
