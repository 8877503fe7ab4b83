// SPDX-License-Identifier: Apache-2.0
// Casts to 8-bit floating point of aligned matrices: whole packs are read and written, every byte
// once, and what is read stays in registers until the scale is known. fp8.cu has the form for any
// alignment.
#pragma once

#include "kernels/cuda/fp8_number.cuh"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/vector.cuh"
#include "kernels/ops/fp8.h"

namespace stepmark::cuda {

inline constexpr unsigned kFp8Threads = 256;

struct Larger {
  __device__ float operator()(float a, float b) const { return b > a ? b : a; }
  static constexpr float kIdentity = 0.0F;
};

// Called by whole blocks.
static __device__ void raise_amax(float* amax, float largest, float* scratch) {
  largest = block_reduce<Larger>(largest, scratch);
  if (threadIdx.x == 0) atomicMax(reinterpret_cast<int*>(amax), __float_as_int(largest));
}
static __device__ float inverse_scale(float amax, float limit) {
  return amax > 0.0F ? amax / limit : 1.0F;
}

template <class T, int kWidth>
__device__ float largest_of(const Pack<T, kWidth>& pack) {
  float largest = 0.0F;
  for (int e = 0; e < kWidth; ++e) largest = Larger{}(largest, fabsf(load(pack.v[e])));
  return largest;
}
// f(x) of every element, two to an instruction.
template <class T, int kWidth, class F>
__device__ Pack<Fp8, kWidth> to_fp8_pack(const Pack<T, kWidth>& pack, bool e5m2, F f) {
  Pack<Fp8, kWidth> out;
  for (int e = 0; e < kWidth; e += 2) {
    const Fp8Pair pair = to_fp8_pair(f(load(pack.v[e])), f(load(pack.v[e + 1])), e5m2);
    out.v[e] = static_cast<Fp8>(pair);
    out.v[e + 1] = static_cast<Fp8>(pair >> 8);
  }
  return out;
}

// A tile of 128 x 128: rows are read and written as they lie, 4 rows of a pack of columns at a time
// are turned in registers, and the columns leave through shared memory in whole lines.
inline constexpr int kTurnTile = 128, kTurnRows = 4;
inline constexpr std::size_t kTurnBytes = kTurnTile * kTurnTile;

template <class T>
__global__ void __launch_bounds__(kFp8Threads)
    cast_turn_kernel(const T* x, const float* scale, Fp8* q, Fp8* q_t, float* amax,
                     std::int64_t rows, std::int64_t cols, bool e5m2) {
  constexpr int kWidth = kPackElements<T>;
  constexpr int kAcross = kTurnTile / kWidth;  // threads along a row
  constexpr int kDown = static_cast<int>(kFp8Threads) / kAcross;
  constexpr int kWords = kTurnTile / kTurnRows;  // of a column: 4 rows each
  constexpr int kShift = kWords / kAcross;
  auto* turned = reinterpret_cast<std::uint32_t*>(block_shared());
  const float factor = *scale;
  float largest = 0.0F;
  const std::int64_t across = (cols + kTurnTile - 1) / kTurnTile;
  const std::int64_t row0 = blockIdx.x / across * kTurnTile;
  const std::int64_t col0 = blockIdx.x % across * kTurnTile;
  const int thread = static_cast<int>(threadIdx.x);
  const int group = thread % kAcross;  // of columns
  const std::int64_t col = col0 + group * kWidth;
  for (int word = thread / kAcross; word < kWords; word += kDown) {
    const std::int64_t row = row0 + word * kTurnRows;
    if (col >= cols || row >= rows) continue;
    Pack<T, kWidth> in[kTurnRows];
    STEPMARK_UNROLL
    for (int r = 0; r < kTurnRows; ++r) in[r] = load_pack<kWidth>(x + (row + r) * cols + col);
    Pack<Fp8, kWidth> out[kTurnRows];
    STEPMARK_UNROLL
    for (int r = 0; r < kTurnRows; ++r) {
      largest = Larger{}(largest, largest_of(in[r]));
      out[r] = to_fp8_pack(in[r], e5m2, [=](float v) { return v * factor; });
      store_pack<kWidth>(q + (row + r) * cols + col, out[r]);
    }
    // Where a column's words lie is moved on from group to group: no two lanes meet in a bank.
    const int place = (word + group * kShift) % kWords;
    STEPMARK_UNROLL
    for (int c = 0; c < kWidth; ++c) {
      turned[(group * kWidth + c) * kWords + place] =
          static_cast<std::uint32_t>(out[0].v[c]) | static_cast<std::uint32_t>(out[1].v[c]) << 8 |
          static_cast<std::uint32_t>(out[2].v[c]) << 16 |
          static_cast<std::uint32_t>(out[3].v[c]) << 24;
    }
  }
  __syncthreads();
  const int lane = thread % static_cast<int>(kWarp);
  static_assert(kWords == static_cast<int>(kWarp));
  for (int c = thread / static_cast<int>(kWarp); c < kTurnTile;
       c += static_cast<int>(kFp8Threads / kWarp)) {
    const std::int64_t row = row0 + lane * kTurnRows;
    if (col0 + c >= cols || row >= rows) continue;
    const int place = (lane + c / kWidth * kShift) % kWords;
    *reinterpret_cast<std::uint32_t*>(q_t + (col0 + c) * rows + row) = turned[c * kWords + place];
  }
  raise_amax(amax, largest, reinterpret_cast<float*>(block_shared() + kTurnBytes));
}

// A warp per block of 128 columns of a row, 4 elements in a lane; several blocks under way.
inline constexpr int kRowBlocks = 4;

template <class T>
__global__ void __launch_bounds__(kFp8Threads)
    row_block_cast_packs_kernel(const T* x, Fp8* q, float* scale_inv, std::int64_t rows,
                                std::int64_t cols, float limit, bool e5m2) {
  constexpr int kWidth = kFp8Block / static_cast<int>(kWarp);
  constexpr unsigned kWarps = kFp8Threads / kWarp;
  const std::int64_t across = (cols + kFp8Block - 1) / kFp8Block, items = rows * across;
  const unsigned lane = threadIdx.x % kWarp;
  const std::int64_t first = (std::int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp) * kRowBlocks;
  std::int64_t row = first / across, block = first % across;
  Pack<T, kWidth> in[kRowBlocks] = {};
  std::int64_t at[kRowBlocks];  // -1: no columns here
  STEPMARK_UNROLL
  for (int i = 0; i < kRowBlocks; ++i) {
    const std::int64_t col = block * kFp8Block + lane * kWidth;
    at[i] = row < rows && col < cols ? row * cols + col : -1;
    if (at[i] >= 0) in[i] = load_pack<kWidth>(x + at[i]);
    if (++block == across) {
      block = 0;
      ++row;
    }
  }
  STEPMARK_UNROLL
  for (int i = 0; i < kRowBlocks; ++i) {
    const float inverse = inverse_scale(warp_reduce<Larger>(largest_of(in[i])), limit);
    if (at[i] >= 0) {
      store_pack<kWidth>(q + at[i], to_fp8_pack(in[i], e5m2, [=](float v) { return v / inverse; }));
    }
    if (lane == 0 && first + i < items) scale_inv[first + i] = inverse;
  }
}

// A block per 128 x 128, all of it in registers.
template <class T>
__global__ void __launch_bounds__(kFp8Threads)
    tile_block_cast_packs_kernel(const T* x, Fp8* q, float* scale_inv, std::int64_t rows,
                                 std::int64_t cols, float limit, bool e5m2) {
  constexpr int kWidth = kPackElements<T>;
  constexpr int kAcross = kFp8Block / kWidth, kDown = static_cast<int>(kFp8Threads) / kAcross;
  constexpr int kHeld = kFp8Block / kDown;
  const std::int64_t across = (cols + kFp8Block - 1) / kFp8Block;
  const std::int64_t row = blockIdx.x / across * kFp8Block + threadIdx.x / kAcross;
  const std::int64_t col = blockIdx.x % across * kFp8Block + threadIdx.x % kAcross * kWidth;
  const std::int64_t end = (blockIdx.x / across + 1) * kFp8Block;
  const std::int64_t last = end < rows ? end : rows;
  Pack<T, kWidth> in[kHeld] = {};
  float largest = 0.0F;
  STEPMARK_UNROLL
  for (int i = 0; i < kHeld; ++i) {
    if (row + i * kDown < last && col < cols) {
      in[i] = load_pack<kWidth>(x + (row + i * kDown) * cols + col);
    }
  }
  STEPMARK_UNROLL
  for (int i = 0; i < kHeld; ++i) largest = Larger{}(largest, largest_of(in[i]));
  largest = block_reduce<Larger>(largest, reinterpret_cast<float*>(block_shared()));
  const float inverse = inverse_scale(largest, limit);
  STEPMARK_UNROLL
  for (int i = 0; i < kHeld; ++i) {
    if (row + i * kDown < last && col < cols) {
      store_pack<kWidth>(q + (row + i * kDown) * cols + col,
                         to_fp8_pack(in[i], e5m2, [=](float v) { return v / inverse; }));
    }
  }
  if (threadIdx.x == 0) scale_inv[blockIdx.x] = inverse;
}

}  // namespace stepmark::cuda
