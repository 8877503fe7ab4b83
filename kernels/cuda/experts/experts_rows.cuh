// SPDX-License-Identifier: Apache-2.0
// Whose rows a block of the experts' GEMMs has, by the counts in memory.
#pragma once

#include <cstdint>

#include "kernels/cuda/vector.cuh"

namespace stepmark::cuda {

// Of an expert, of the rows behind `first`: what is in memory may not fit (experts.cu).
__device__ inline std::int64_t rows_of(std::int32_t count, std::int64_t first, std::int64_t rows) {
  const std::int64_t left = rows - first, wanted = count > 0 ? count : 0;
  return wanted < left ? wanted : left;
}

// The rows before those of `expert`.
__device__ inline std::int64_t rows_before(std::int64_t expert, const std::int32_t* counts,
                                           std::int64_t rows) {
  std::int64_t first = 0;
  for (std::int64_t e = 0; e < expert; ++e) first += rows_of(counts[e], first, rows);
  return first;
}

// Tiles of kSize rows, each expert's counted from its first row.
struct ExpertTile {
  std::int64_t expert;  // the number of experts: rows that no expert has
  std::int64_t first;   // row of the expert
  std::int64_t rows;    // of the expert
  std::int64_t tile;    // of the expert
};
template <int kSize>
__device__ inline ExpertTile expert_tile(std::int64_t tile, std::int64_t experts,
                                         const std::int32_t* counts, std::int64_t rows) {
  std::int64_t first = 0;
  for (std::int64_t e = 0; e < experts; ++e) {
    const std::int64_t own = rows_of(counts[e], first, rows), tiles = (own + kSize - 1) / kSize;
    if (tile < tiles) return {e, first, own, tile};
    tile -= tiles;
    first += own;
  }
  return {experts, first, rows - first, tile};
}

// Zeroes a tile of rows that no expert has, columns [j0, j0 + kSize) of n.
template <int kSize, class T>
__device__ inline void zero_tile(const ExpertTile& x, std::int64_t j0, std::int64_t n, T* c) {
  for (std::int64_t i = threadIdx.x; i < kSize * kSize; i += blockDim.x) {
    const std::int64_t row = x.tile * kSize + i / kSize, j = j0 + i % kSize;
    if (row < x.rows && j < n) store(c[(x.first + row) * n + j], 0.0F);
  }
}

}  // namespace stepmark::cuda
