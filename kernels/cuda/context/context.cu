// SPDX-License-Identifier: Apache-2.0
// Context parallelism: attention over chunks (by the kernels beside this file), and what puts heads
// and chunks where ranks want them: copies of rows, each thread a pack of one.
#include "kernels/ops/context.h"

#include "kernels/cuda/attention/attention_own.h"
#include "kernels/cuda/context/context_attention.h"
#include "kernels/cuda/engine_note.h"
#include "kernels/cuda/vector.cuh"

namespace stepmark::cuda {
namespace {

constexpr unsigned kThreads = 256;

// Row numbers in both operands of row i of the copy.
struct Rows {
  std::int64_t from, to;
};

// Heads (tokens, heads): key and value heads follow the query heads.
struct KeysAndValues {
  std::int64_t heads, kv_heads;
  __device__ Rows operator()(std::int64_t i) const {
    const std::int64_t kv = 2 * kv_heads;
    return {i / kv * (heads + kv) + heads + i % kv, i};
  }
};

struct HeadsOfRanks {
  std::int64_t tokens, heads, kv_heads, q, kv;  // q, kv: heads of a rank
  bool inverse;
  __device__ Rows operator()(std::int64_t i) const {
    const std::int64_t share = q + 2 * kv, h = i % share, t = i / share % tokens;
    const std::int64_t w = i / share / tokens;
    std::int64_t head = w * q + h;
    if (h >= q) head = heads + (h < q + kv ? 0 : kv_heads - kv) + w * kv + h - q;
    const std::int64_t plain = t * (heads + 2 * kv_heads) + head;
    return inverse ? Rows{i, plain} : Rows{plain, i};
  }
};

struct TokensInOrder {
  std::int64_t batch, chunk, ways;
  bool inverse;
  __device__ Rows operator()(std::int64_t i) const {
    const std::int64_t seq = 2 * chunk, token = i % seq, b = i / seq % batch, w = i / seq / batch;
    const std::int64_t place =
        token < chunk ? w * chunk + token : (2 * ways - 1 - w) * chunk + token - chunk;
    const std::int64_t whole = b * ways * seq + place;
    return inverse ? Rows{whole, i} : Rows{i, whole};
  }
};

template <int kWidth, class T, class Map>
__global__ void __launch_bounds__(kThreads)
    move_rows_kernel(Map map, const T* from, T* to, std::int64_t rows, std::int64_t packs) {
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < rows * packs;
       i += step) {
    const Rows row = map(i / packs);
    const std::int64_t column = i % packs * kWidth;
    store_pack<kWidth>(to + row.to * packs * kWidth + column,
                       load_pack<kWidth>(from + row.from * packs * kWidth + column));
  }
}

template <class Map>
Enqueue prepare_moves(const OpShape& shape, void* const* operands, const KernelContext& context,
                      Map map, std::int64_t rows, std::int64_t width) {
  if (rows * width == 0) return [](cudaStream_t) {};
  return with_bits(shape.dtype, [&]<class T>(T) -> Enqueue {
    const T* from = input<T>(operands, 0);
    T* to = output<T>(operands, 1);
    const bool whole = aligned(from, to) && width % kPackElements<T> == 0;
    return with_width<T>(whole, [&](auto pack) -> Enqueue {
      const std::int64_t packs = width / pack;
      const unsigned blocks = blocks_for(rows * packs, kThreads, context.sm_count(), 32);
      return [=](cudaStream_t stream) {
        launch(&move_rows_kernel<pack, T, Map>, {.blocks = blocks, .threads = kThreads}, stream,
               map, from, to, rows, packs);
      };
    });
  });
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    join_kernel(const float* dq, const float* dkv, T* dqkv, std::int64_t elements,
                std::int64_t before, std::int64_t width) {
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < elements;
       i += step) {
    const std::int64_t token = i / (before + width), column = i % (before + width);
    store(dqkv[i],
          column < before ? dq[token * before + column] : dkv[token * width + column - before]);
  }
}

bool flash_takes(const OpShape& shape, void* const* operands) {
  for (std::size_t i = 0; i < info_of(shape.id).operands.size(); ++i) {
    const bool pairs = reinterpret_cast<std::uintptr_t>(operands[i]) % (2 * sizeof(float)) == 0;
    if (dtype_of(shape, i) == DType::f32 && !pairs) return false;
  }
  return flash_attention_takes(shape, operands);
}

template <class Flash, class Plain>
Enqueue by_first_that_takes(const OpShape& shape, void* const* operands,
                            const KernelContext& context, Flash flash, Plain plain) {
  if (dim_of(shape, "batch") * dim_of(shape, "chunk") == 0) return [](cudaStream_t) {};
  if (flash_takes(shape, operands)) {
    note_engine(shape, {.engine = "flash", .refused = lost_by_mma(context.compute_capability())});
    return flash();
  }
  if (dim_of(shape, "head_dim") > kPlainHeadDims) {
    fail(std::string(info_of(shape.id).name) + ": head_dim beyond 256 is not supported on the GPU");
  }
  // Whoever times it shall know what bounds it. Nobody expects tensor cores for fp32.
  const bool expected = shape.dtype == DType::bf16;
  note_engine(shape, {.engine = "plain",
                      .refused = expected ? "the kernel on tensor cores takes aligned heads of 64 "
                                            "and 128 elements"
                                          : ""});
  return plain();
}

}  // namespace

Enqueue prepare_attention_chunks_fwd(const OpShape& shape, void* const* operands,
                                     KernelContext& context) {
  return by_first_that_takes(
      shape, operands, context, [&] { return prepare_flash_chunks_fwd(shape, operands); },
      [&] { return prepare_plain_chunks_fwd(shape, operands); });
}

Enqueue prepare_attention_chunks_bwd(const OpShape& shape, void* const* operands,
                                     KernelContext& context) {
  return by_first_that_takes(
      shape, operands, context, [&] { return prepare_flash_chunks_bwd(shape, operands, context); },
      [&] { return prepare_plain_chunks_bwd(shape, operands, context); });
}

Enqueue prepare_kv_split(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<KvSplitShape>(shape);
  return prepare_moves(shape, operands, context,
                       KeysAndValues{.heads = s.heads, .kv_heads = s.kv_heads},
                       s.tokens * 2 * s.kv_heads, s.head_dim);
}

Enqueue prepare_qkv_join(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<QkvJoinShape>(shape);
  const std::int64_t before = s.heads * s.head_dim, width = 2 * s.kv_heads * s.head_dim;
  const std::int64_t elements = s.tokens * (before + width);
  if (elements == 0) return [](cudaStream_t) {};
  const unsigned blocks = blocks_for(elements, kThreads, context.sm_count(), 32);
  return with_type(shape.dtype, [&]<class T>(T) -> Enqueue {
    return [=, dq = input<float>(operands, 0), dkv = input<float>(operands, 1),
            dqkv = output<T>(operands, 2)](cudaStream_t stream) {
      launch(&join_kernel<T>, {.blocks = blocks, .threads = kThreads}, stream, dq, dkv, dqkv,
             elements, before, width);
    };
  });
}

Enqueue prepare_heads_to_ranks(const OpShape& shape, void* const* operands,
                               KernelContext& context) {
  const auto s = unpack<HeadsToRanksShape>(shape);
  return prepare_moves(shape, operands, context,
                       HeadsOfRanks{.tokens = s.tokens,
                                    .heads = s.heads,
                                    .kv_heads = s.kv_heads,
                                    .q = s.heads / s.ways,
                                    .kv = s.kv_heads / s.ways,
                                    .inverse = s.inverse != 0},
                       s.tokens * (s.heads + 2 * s.kv_heads), s.head_dim);
}

Enqueue prepare_chunks_in_order(const OpShape& shape, void* const* operands,
                                KernelContext& context) {
  const auto s = unpack<ChunksInOrderShape>(shape);
  return prepare_moves(
      shape, operands, context,
      TokensInOrder{.batch = s.batch, .chunk = s.chunk, .ways = s.ways, .inverse = s.inverse != 0},
      s.batch * 2 * s.chunk * s.ways, s.width);
}

}  // namespace stepmark::cuda
