// SPDX-License-Identifier: Apache-2.0
// A block's 64x64 results of a GEMM without tensor cores: the operands' tiles, 16 deep, go through
// shared memory as fp32, every thread sums 4x4 results in fp32 registers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/vector.cuh"

namespace stepmark::cuda {

inline constexpr int kTile = 64, kDepth = 16, kEach = 4, kSide = kTile / kEach;
inline constexpr int kPitch = kTile + 1;  // rows of a tile start in different banks
inline constexpr unsigned kTileThreads = kSide * kSide;
inline constexpr std::size_t kTileSharedBytes = 2 * kDepth * kPitch * sizeof(float);

// An operand whose element (i, l), l along k, is data[i * row + l * column].
template <class T>
struct Strided {
  const T* data;
  std::int64_t row, column;
  __device__ float at(std::int64_t i, std::int64_t l) const {
    return load(data[i * row + l * column]);
  }
};

// Of operands with at(i, l), as Strided. Calls write(i, j, sum over l < k of a(i,l) b(j,l)) for
// results (i, j) of the tile at (i0, j0), of m x n in all.
template <class A, class B, class Write>
__device__ inline void tile_of(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t i0,
                               std::int64_t j0, const A& a, const B& b, Write write) {
  auto* a_tile = reinterpret_cast<float*>(block_shared());
  float* b_tile = a_tile + kDepth * kPitch;
  const int tx = static_cast<int>(threadIdx.x) % kSide, ty = static_cast<int>(threadIdx.x) / kSide;
  float sums[kEach][kEach] = {};
  for (std::int64_t l0 = 0; l0 < k; l0 += kDepth) {
    for (int e = static_cast<int>(threadIdx.x); e < kTile * kDepth; e += kTileThreads) {
      const int row = e / kDepth, l = e % kDepth;
      const bool inside = l0 + l < k;
      a_tile[l * kPitch + row] = inside && i0 + row < m ? a.at(i0 + row, l0 + l) : 0.0F;
      b_tile[l * kPitch + row] = inside && j0 + row < n ? b.at(j0 + row, l0 + l) : 0.0F;
    }
    __syncthreads();
    for (int l = 0; l < kDepth; ++l) {
      for (int y = 0; y < kEach; ++y) {
        const float left = a_tile[l * kPitch + ty + y * kSide];
        for (int x = 0; x < kEach; ++x) sums[y][x] += left * b_tile[l * kPitch + tx + x * kSide];
      }
    }
    __syncthreads();
  }
  for (int y = 0; y < kEach; ++y) {
    for (int x = 0; x < kEach; ++x) {
      const std::int64_t i = i0 + ty + y * kSide, j = j0 + tx + x * kSide;
      if (i < m && j < n) write(i, j, sums[y][x]);
    }
  }
}

[[nodiscard]] __host__ __device__ inline std::int64_t tiles(std::int64_t size) {
  return (size + kTile - 1) / kTile;
}

}  // namespace stepmark::cuda
