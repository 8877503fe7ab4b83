// SPDX-License-Identifier: Apache-2.0
// Lookups, and gradients of tables without floating-point atomics: each table row has blocks of its
// own, which add the rows of dy that belong to it in order.
#include "kernels/ops/embedding.h"

#include <algorithm>

#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/rows.cuh"
#include "kernels/cuda/token_rows.cuh"
#include "kernels/cuda/vector.cuh"

namespace stepmark::cuda {
namespace {

constexpr int kRows = 4;        // at a time
constexpr int kTableWidth = 4;  // columns per thread: 16 bytes of an fp32 gradient
constexpr unsigned kThreads = 512;

// T: bits.
template <class T, int kWidth>
__global__ void __launch_bounds__(kRowsThreads)
    embedding_fwd_kernel(const std::int32_t* tokens, const T* table, T* out, std::int64_t rows,
                         std::int64_t cols, std::int64_t vocab_begin, std::int64_t vocab_rows) {
  const std::int64_t c = own_column<kWidth>();
  if (c >= cols) return;
  Pack<T, kWidth> held[kRows] = {};
  for_rows<kRows>(
      rows,
      [&](int i, std::int64_t r) {
        const std::int64_t from = tokens[r] - vocab_begin;
        held[i] = {};
        if (from >= 0 && from < vocab_rows) held[i] = load_pack<kWidth>(table + from * cols + c);
      },
      [&](int i, std::int64_t r) { store_pack<kWidth>(out + r * cols + c, held[i]); });
}

// What the kernels of embedding_bwd share. Items are the table's rows or, where most of the table
// stays as it is (accumulate), the rows of dy: the first one with its token stands for all.
struct Gather {
  TokenRows of;
  std::int64_t cols, items, chunks;
  bool accumulate;
};

// Adds dy's rows of one token to kWidth columns of its table row.
template <class T, int kWidth>
struct ColumnSum {
  const T* dy;
  std::int64_t cols, column;
  float sum[kWidth];

  __device__ bool inside() const { return column < cols; }
  // The rows at[0], at[1] ... in order; negative: none.
  template <int kCount>
  __device__ void add(const std::int32_t (&at)[kCount]) {
    Pack<T, kWidth> held[kCount] = {};
    for (int k = 0; k < kCount; ++k) {
      if (at[k] >= 0 && inside()) held[k] = load_pack<kWidth>(dy + at[k] * cols + column);
    }
    for (int k = 0; k < kCount; ++k) {
      if (at[k] < 0) continue;
      for (int j = 0; j < kWidth; ++j) sum[j] += load(held[k].v[j]);
    }
  }
};

// A block: one item, kThreads * kWidth columns.
template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads)
    embedding_bwd_kernel(Gather g, const T* dy, float* table) {
  for (std::int64_t block = blockIdx.x; block < g.items * g.chunks; block += gridDim.x) {
    const std::int64_t item = block / g.chunks, chunk = block % g.chunks;
    const std::int64_t row = g.accumulate ? g.of.row_of_first(item) : item;
    if (row < 0) continue;  // all threads of the block
    ColumnSum<T, kWidth> columns{
        .dy = dy, .cols = g.cols, .column = (chunk * kThreads + threadIdx.x) * kWidth, .sum = {}};
    float* to = table + row * g.cols + columns.column;
    if (g.accumulate && columns.inside()) {
      const auto before = load_pack<kWidth>(to);
      for (int j = 0; j < kWidth; ++j) columns.sum[j] = before.v[j];
    }
    for_positions(g.of, row, reinterpret_cast<unsigned*>(block_shared()),
                  [&](const auto& at) { columns.add(at); });
    if (columns.inside()) {
      Pack<float, kWidth> out;
      for (int j = 0; j < kWidth; ++j) out.v[j] = columns.sum[j];
      store_pack<kWidth>(to, out);
    }
  }
}

template <class T, int kWidth>
__global__ void __launch_bounds__(kRowsThreads)
    position_fwd_kernel(const T* table, T* x, std::int64_t rows, std::int64_t cols, unsigned seq,
                        std::int64_t row_begin) {
  const std::int64_t c = own_column<kWidth>();
  if (c >= cols) return;
  Pack<T, kWidth> held[kRows] = {}, add[kRows] = {};
  for_rows<kRows>(
      rows,
      [&](int i, std::int64_t r) {  // the sum of two dims fits 32 bits, whose division is cheaper
        const std::int64_t position = static_cast<unsigned>(row_begin + r) % seq;
        held[i] = load_pack<kWidth>(x + r * cols + c);
        add[i] = load_pack<kWidth>(table + position * cols + c);
      },
      [&](int i, std::int64_t r) {
        for (int j = 0; j < kWidth; ++j) {
          store(held[i].v[j], load(held[i].v[j]) + load(add[i].v[j]));
        }
        store_pack<kWidth>(x + r * cols + c, held[i]);
      });
}

template <class T, int kWidth>
__global__ void __launch_bounds__(kRowsThreads)
    position_bwd_kernel(const T* dy, float* table, std::int64_t rows, std::int64_t cols,
                        std::int64_t seq, std::int64_t row_begin, bool accumulate) {
  const std::int64_t c = own_column<kWidth>();
  if (c >= cols) return;
  for (std::int64_t position = blockIdx.y; position < seq; position += gridDim.y) {
    float* to = table + position * cols + c;
    Pack<float, kWidth> sum = {};
    if (accumulate) sum = load_pack<kWidth>(to);
    const std::int64_t first = ((position - row_begin) % seq + seq) % seq;
    for (std::int64_t r = first; r < rows; r += kRows * seq) {
      Pack<T, kWidth> held[kRows] = {};
      for (int i = 0; i < kRows; ++i) {
        if (r + i * seq < rows) held[i] = load_pack<kWidth>(dy + (r + i * seq) * cols + c);
      }
      for (int i = 0; i < kRows; ++i) {
        if (r + i * seq >= rows) break;
        for (int j = 0; j < kWidth; ++j) sum.v[j] += load(held[i].v[j]);
      }
    }
    store_pack<kWidth>(to, sum);
  }
}

}  // namespace

Enqueue prepare_embedding_fwd(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<EmbeddingFwdShape>(shape);
  const auto* tokens = input<std::int32_t>(operands, 0);
  return with_bits(shape.dtype, [&]<class T>(T) -> Enqueue {
    const T* table = input<T>(operands, 1);
    T* out = output<T>(operands, 2);
    return with_rows<kPackElements<T>>(
        s.rows, s.cols, aligned(table, out), kRows, context, [=](auto width, RowsGrid grid) {
          return [=](cudaStream_t stream) {
            launch(&embedding_fwd_kernel<T, width>,
                   {.blocks = grid.blocks, .threads = grid.threads}, stream, tokens, table, out,
                   s.rows, s.cols, s.vocab_begin, s.vocab_rows);
          };
        });
  });
}

Enqueue prepare_embedding_bwd(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<EmbeddingBwdShape>(shape);
  float* table = output<float>(operands, 2);
  Gather g{.of = {.tokens = input<std::int32_t>(operands, 0),
                  .rows = s.rows,
                  .vocab_begin = s.vocab_begin,
                  .vocab_rows = s.vocab_rows},
           .cols = s.cols,
           .items = s.accumulate != 0 ? s.rows : s.vocab_rows,
           .chunks = 0,
           .accumulate = s.accumulate != 0};
  if (g.items == 0 || g.cols == 0) return [](cudaStream_t) {};
  context.scratch()->reserve(scratch_bytes(g.of));
  return with_type(shape.dtype, [&]<class T>(T) -> Enqueue {
    const T* dy = input<T>(operands, 1);
    const bool packs = aligned(dy, table) && s.cols % kTableWidth == 0;
    const auto kernel = packs ? &embedding_bwd_kernel<T, kTableWidth> : &embedding_bwd_kernel<T, 1>;
    const std::int64_t width = kThreads * std::int64_t{packs ? kTableWidth : 1};
    g.chunks = (s.cols + width - 1) / width;
    const auto blocks = static_cast<unsigned>(std::min(g.items * g.chunks, std::int64_t{1} << 30));
    return [=, scratch = context.scratch(), sm_count = context.sm_count()](cudaStream_t stream) {
      Gather now = g;
      enqueue_token_rows(now.of, scratch->data(), sm_count, stream);
      launch(kernel, {.blocks = blocks, .threads = kThreads, .shared_bytes = kPositionsShared},
             stream, now, dy, table);
    };
  });
}

Enqueue prepare_position_fwd(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<PositionFwdShape>(shape);
  return with_type(shape.dtype, [&]<class T>(T) -> Enqueue {
    const T* table = input<T>(operands, 0);
    T* x = output<T>(operands, 1);
    return with_rows<kPackElements<T>>(
        s.rows, s.cols, aligned(table, x), kRows, context, [=](auto width, RowsGrid grid) {
          return [=](cudaStream_t stream) {
            launch(&position_fwd_kernel<T, width>, {.blocks = grid.blocks, .threads = grid.threads},
                   stream, table, x, s.rows, s.cols, static_cast<unsigned>(s.seq), s.row_begin);
          };
        });
  });
}

Enqueue prepare_position_bwd(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<PositionBwdShape>(shape);
  float* table = output<float>(operands, 1);
  return with_type(shape.dtype, [&]<class T>(T) -> Enqueue {
    const T* dy = input<T>(operands, 0);
    return with_rows<kTableWidth>(
        s.seq, s.cols, aligned(dy, table), 1, context, [=](auto width, RowsGrid grid) {
          return [=](cudaStream_t stream) {
            launch(&position_bwd_kernel<T, width>, {.blocks = grid.blocks, .threads = grid.threads},
                   stream, dy, table, s.rows, s.cols, s.seq, s.row_begin, s.accumulate != 0);
          };
        });
  });
}

}  // namespace stepmark::cuda
