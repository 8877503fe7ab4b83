// SPDX-License-Identifier: Apache-2.0
// Element-wise work on matrices where the column or the row matters: a thread keeps its column (a
// pack of columns) and walks down the rows, several of them at a time, so that no index is divided
// and what belongs to a column is read once.
#pragma once

#include <algorithm>

#include "kernels/cuda/map.cuh"
#include "kernels/cuda/vector.cuh"

namespace stepmark::cuda {

inline constexpr unsigned kRowsThreads = 256;  // at most

struct RowsGrid {
  dim3 blocks;  // x: columns, y: rows
  unsigned threads;
};

// For `rows` of `columns` packs each, `rows_each` at a time. rows and columns are not 0.
[[nodiscard]] inline RowsGrid rows_grid(std::int64_t rows, std::int64_t columns, int rows_each,
                                        int sm_count) {
  const auto share = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
  const std::int64_t x = share(columns, kRowsThreads);
  const std::int64_t threads = share(share(columns, x), kWarp) * kWarp;
  const std::int64_t most = std::max(std::int64_t{1}, sm_count * std::int64_t{kMapBlocksPerSm} / x);
  const std::int64_t y = std::min({share(rows, rows_each), most, std::int64_t{65535}});
  return {.blocks = {static_cast<unsigned>(x), static_cast<unsigned>(y)},
          .threads = static_cast<unsigned>(threads)};
}

// Calls f(width, grid), with width = kPack where rows are whole packs (and `packs`), else 1.
template <int kPack, class F>
Enqueue with_rows(std::int64_t rows, std::int64_t cols, bool packs, int rows_each,
                  const KernelContext& context, F f) {
  if (rows == 0 || cols == 0) return [](cudaStream_t) {};
  const auto of = [&](auto width) -> Enqueue {
    return f(width, rows_grid(rows, cols / width, rows_each, context.sm_count()));
  };
  if (packs && cols % kPack == 0) return of(std::integral_constant<int, kPack>{});
  return of(std::integral_constant<int, 1>{});
}

// This thread's first column.
template <int kWidth>
__device__ inline std::int64_t own_column() {
  return (std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x) * kWidth;
}

// Calls read(i, row) for each of the next rows, i < kRows, then write(i, row) for each of them.
template <int kRows, class Read, class Write>
__device__ inline void for_rows(std::int64_t rows, Read read, Write write) {
  const std::int64_t step = std::int64_t{gridDim.y} * kRows;
  for (std::int64_t row = std::int64_t{blockIdx.y} * kRows; row < rows; row += step) {
    for (int i = 0; i < kRows; ++i) {
      if (row + i < rows) read(i, row + i);
    }
    for (int i = 0; i < kRows; ++i) {
      if (row + i < rows) write(i, row + i);
    }
  }
}

}  // namespace stepmark::cuda
