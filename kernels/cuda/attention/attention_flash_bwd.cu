// SPDX-License-Identifier: Apache-2.0
// Attention on the tensor cores, backward: the products of Dao, arXiv 2307.08691, algorithm 2, in
// two kernels of one form. Blocks that own queries walk over the keys up to the diagonal and make
// dQ. Blocks that own keys walk over the queries behind them, of all heads of the group, and make
// dK and dV, with scores transposed. So every sum stays in the registers of one warp, in a fixed
// order and without atomics, at the price of computing scores and dP twice.
#include "kernels/cuda/attention/attention_delta.cuh"
#include "kernels/cuda/attention/attention_flash_bwd.cuh"
#include "kernels/cuda/attention/attention_own.h"

namespace stepmark::cuda {
namespace {

using namespace flash;

struct Backward {
  const bfloat *dout, *qkv;
  const float *lse, *delta;
  bfloat* dqkv;
};

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
    if (K::kOwnKeys) {
      copy_statistics<K>(statistics + step % 2 * K::kStatistics, x.lse, x.delta,
                         l.row(place.batch, head), first, l.seq);
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
  OwnStatistics own = {};
  if (!K::kOwnKeys) {
    own = own_statistics(x.lse, x.delta, l.row(place.batch, first_head), own_row, l.seq);
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
    add_gradients<K>(sums1, sums2, own1, own2, stream1, ahead, masked, l.scale * kLog2E,
                     statistics + step % 2 * K::kStatistics, own,
                     [](int row, int column) { return hidden<K>(row, column); });
  }

  scale_sums<K::kHeadDim>(sums1, l.scale);
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

template <int kHeadDim>
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
    launch_bwd<QueryOwner<kHeadDim>>(stream, x, l);
    launch_bwd<KeyOwner<kHeadDim>>(stream, x, l);
  };
}

}  // namespace

Enqueue prepare_flash_attention_bwd(const OpShape& shape, void* const* operands,
                                    KernelContext& context) {
  const AttentionLayout l(unpack<AttentionBwdShape>(shape));
  return l.head_dim == 64 ? prepare_bwd<64>(l, operands, context)
                          : prepare_bwd<128>(l, operands, context);
}

}  // namespace stepmark::cuda
