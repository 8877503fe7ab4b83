// SPDX-License-Identifier: Apache-2.0
// Tiles of bf16 rows in shared memory and products of them on the tensor cores, for the flash
// attention kernels. A tile is a run of rows of kHeadDim elements. Within a row, the chunk of 16
// bytes with index c lies at place c ^ (row % 8), so that the eight rows that an ldmatrix reads at
// one index are on different banks.
//
// Fragments are named as mma_bf16_16x8x16 (simt.cuh) names them; g = lane / 4, t = lane % 4.
#pragma once

#include "kernels/cuda/vector.cuh"

namespace stepmark::cuda::flash {

inline constexpr int kWarps = 4;
inline constexpr int kThreads = kWarps * static_cast<int>(kWarp);
inline constexpr int kChunk = 8;                                         // elements in 16 bytes
inline constexpr std::size_t kMostSharedBytes = std::size_t{163} << 10;  // compute capability 8.0
inline constexpr float kLog2E = 1.44269504F;

__device__ inline int warp_index() { return static_cast<int>(threadIdx.x) / 32; }
__device__ inline int lane_index() { return static_cast<int>(threadIdx.x) % 32; }

template <int kHeadDim>
__device__ inline bfloat* chunk_at(bfloat* tile, int row, int chunk) {
  static_assert(kHeadDim % (8 * kChunk) == 0, "the order of chunks needs rows of eight or more");
  return tile + row * kHeadDim + (chunk ^ (row % 8)) * kChunk;
}

// Starts copying kRows rows, `stride` elements apart; rows from `valid` (at least 1) on become
// zero.
template <int kHeadDim, int kRows>
__device__ inline void copy_tile(bfloat* tile, const bfloat* from, std::int64_t stride, int valid) {
  constexpr int kChunks = kHeadDim / kChunk, kStep = kThreads / kChunks;
  static_assert(kThreads % kChunks == 0 && kRows % kStep == 0);
  static_assert(kStep % 8 == 0, "all rows of a thread have their chunks in the same order");
  const int chunk = static_cast<int>(threadIdx.x) % kChunks;
  const int first = static_cast<int>(threadIdx.x) / kChunks;
  bfloat* to = chunk_at<kHeadDim>(tile, first, chunk);
  from += first * stride + chunk * kChunk;
  // Not unrolled: the offsets of all rows would take registers that the products need.
  STEPMARK_ROLLED
  for (int row = first; row < kRows; row += kStep) {
    copy_async_16(to, from, row < valid);
    to += kStep * kHeadDim;
    if (row + kStep < valid) from += kStep * stride;
  }
}

// 16 x 8 numbers as the tensor core adds them up: [0], [1] row g, columns 2t and 2t+1; [2], [3] row
// g+8.
using Sums = float[4];
// 16 x 16 bf16, the left operand.
using Left = std::uint32_t[4];
// 16 x 8 bf16, the right operand.
using Right = std::uint32_t[2];

__device__ inline std::uint32_t pack_bf16(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  std::uint32_t bits;
  memcpy(&bits, &pair, sizeof(bits));
  return bits;
}

// Sums of two neighbouring column blocks, rounded, are the left operand for a product over these
// columns.
__device__ inline void to_left(Left& left, const Sums& first, const Sums& second) {
  left[0] = pack_bf16(first[0], first[1]);
  left[1] = pack_bf16(first[2], first[3]);
  left[2] = pack_bf16(second[0], second[1]);
  left[3] = pack_bf16(second[2], second[3]);
}

// Where a lane points for an ldmatrix of 16 rows and two chunks: matrices 0 and 1 are the lower and
// upper rows of chunk 2 step, matrices 2 and 3 those of the next chunk. Chunk 2 step + bit of a row
// lies at (bit ^ row % 8) ^ 2 step, and further blocks of 16 rows add a constant: what depends on
// the lane is computed once, and is the same for all operands.
template <int kHeadDim>
struct LanePointer {
  int row_offset, place;

  __device__ LanePointer()
      : row_offset(lane_index() % 16 * kHeadDim), place(lane_index() / 16 ^ lane_index() % 8) {
    // Hides where the value comes from: the compiler would else keep the place of every step in
    // registers of its own.
    asm("" : "+r"(place));
  }
  // In the block of 16 rows that starts at the tile's `row`, a multiple of 16.
  __device__ const bfloat* at(const bfloat* tile, int row, int step) const {
    return tile + row_offset + (place ^ (2 * step)) * kChunk + row * kHeadDim;
  }
};

// sums[m][2n] += left[m] * first, sums[m][2n+1] += left[m] * second.
template <int kRowBlocks, int kColumns>
__device__ inline void multiply(Sums (&sums)[kRowBlocks][kColumns], int n,
                                const Left (&left)[kRowBlocks], const Right& first,
                                const Right& second) {
  STEPMARK_UNROLL
  for (int m = 0; m < kRowBlocks; ++m) {
    mma_bf16_16x8x16(sums[m][2 * n], left[m], first);
    mma_bf16_16x8x16(sums[m][2 * n + 1], left[m], second);
  }
}

// sums[m][n] += a_m b_n^T over the head dimension: a_m the m-th 16 rows at `a`, b_n the n-th 8 of
// the kRows rows at `b`.
template <int kHeadDim, int kRowBlocks, int kRows>
__device__ inline void add_products(Sums (&sums)[kRowBlocks][kRows / 8], const bfloat* a,
                                    const bfloat* b) {
  static_assert(kRows % 16 == 0);
  const LanePointer<kHeadDim> lane;
  STEPMARK_UNROLL
  for (int step = 0; step < kHeadDim / 16; ++step) {
    Left left[kRowBlocks];
    STEPMARK_UNROLL
    for (int m = 0; m < kRowBlocks; ++m) load_matrix_x4(left[m], lane.at(a, 16 * m, step));
    STEPMARK_UNROLL
    for (int n = 0; n < kRows / 16; ++n) {
      std::uint32_t r[4];
      load_matrix_x4(r, lane.at(b, 16 * n, step));
      multiply(sums, n, left, {r[0], r[2]}, {r[1], r[3]});
    }
  }
}

// sums[m][n] += weights_m b_n over 16 rows at `b`: weights_m is 16 x 16, b_n the rows' n-th 8
// columns.
template <int kHeadDim, int kRowBlocks>
__device__ inline void add_weighted(Sums (&sums)[kRowBlocks][kHeadDim / 8],
                                    const Left (&weights)[kRowBlocks], const bfloat* b) {
  const LanePointer<kHeadDim> lane;
  STEPMARK_UNROLL
  for (int n = 0; n < kHeadDim / 16; ++n) {
    std::uint32_t r[4];
    load_matrix_x4_transposed(r, lane.at(b, 0, n));
    multiply(sums, n, weights, {r[0], r[1]}, {r[2], r[3]});
  }
}

// Rows [0, 16 kRowBlocks) of the warp to global memory, as bf16, those below `valid`. They pass
// through as many rows at `tile`, which only this warp may still be using.
template <int kHeadDim, int kRowBlocks>
__device__ inline void store_rows(bfloat* to, std::int64_t stride, int valid,
                                  const Sums (&sums)[kRowBlocks][kHeadDim / 8], bfloat* tile) {
  const int lane = lane_index(), g = lane / 4, t = lane % 4;
  __syncwarp();
  STEPMARK_UNROLL
  for (int m = 0; m < kRowBlocks; ++m) {
    STEPMARK_UNROLL
    for (int n = 0; n < kHeadDim / 8; ++n) {
      STEPMARK_UNROLL
      for (int half = 0; half < 2; ++half) {
        bfloat* chunk = chunk_at<kHeadDim>(tile, 16 * m + 8 * half + g, n);
        *reinterpret_cast<std::uint32_t*>(chunk + 2 * t) =
            pack_bf16(sums[m][n][2 * half], sums[m][n][2 * half + 1]);
      }
    }
  }
  __syncwarp();
  constexpr int kChunks = kHeadDim / kChunk, kStep = 32 / kChunks;
  STEPMARK_UNROLL
  for (int i = 0; i < 16 * kRowBlocks; i += kStep) {
    const int own = i + lane / kChunks, chunk = lane % kChunks;
    if (own < valid) {
      store_pack<kChunk>(to + own * stride + chunk * kChunk,
                         load_pack<kChunk>(chunk_at<kHeadDim>(tile, own, chunk)));
    }
  }
}

}  // namespace stepmark::cuda::flash
