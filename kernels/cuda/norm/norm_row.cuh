// SPDX-License-Identifier: Apache-2.0
// A matrix row as the threads of one row of a block (blockDim.x of them, a multiple of 32) share
// it: which columns belong to a thread, how it holds them, and sums over the row.
#pragma once

#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/vector.cuh"

namespace stepmark::cuda {

// The row in registers, kPacks packs in each thread, so that it is read from memory once; with
// kPacks = 0 it is too long for that, and each pass reads it again.
template <class T, int kWidth, int kPacks>
class HeldRow {
 public:
  using P = Pack<T, kWidth>;

  __device__ HeldRow(const T* row, std::int64_t cols) : row_(row), cols_(cols) {
    for (int p = 0; p < kPacks; ++p) {
      if (column(p) < cols) held_[p] = load_pack<kWidth>(row + column(p));
    }
  }

  // f(column, pack) for this thread's packs; f may change them, which a later pass sees only when
  // they are held or were stored.
  template <class F>
  __device__ void each(F f) {
    if constexpr (kPacks > 0) {
      for (int p = 0; p < kPacks; ++p) {
        if (column(p) < cols_) f(column(p), held_[p]);
      }
    } else {
      for (std::int64_t c = column(0); c < cols_; c += std::int64_t{blockDim.x} * kWidth) {
        P pack = load_pack<kWidth>(row_ + c);
        f(c, pack);
      }
    }
  }
  // The same with the packs of another row.
  template <class F>
  __device__ void each_with(HeldRow& other, F f) {
    if constexpr (kPacks > 0) {
      for (int p = 0; p < kPacks; ++p) {
        if (column(p) < cols_) f(column(p), held_[p], other.held_[p]);
      }
    } else {
      each([&](std::int64_t c, P& pack) { f(c, pack, load_pack<kWidth>(other.row_ + c)); });
    }
  }
  // Where later passes of a row that is not held read it.
  __device__ void move_to(const T* row) { row_ = row; }

 private:
  __device__ std::int64_t column(int p) const {
    return (threadIdx.x + std::int64_t{blockDim.x} * p) * kWidth;
  }

  const T* row_;
  std::int64_t cols_;
  P held_[kPacks > 0 ? kPacks : 1];
};

// Shared memory of row_sums for each row of the block.
template <int kValues>
inline constexpr std::size_t kRowSumFloats = 32 * std::size_t{kValues};

// Sums of kValues values over each row of the block, in all of its threads. All threads of the
// block take part (only whole warps when a row has one warp). scratch: kRowSumFloats<kValues>
// floats for each row, not those of the call before, which some threads may not have left yet.
template <int kValues>
__device__ inline void row_sums(float (&values)[kValues], float* scratch) {
  for (int i = 0; i < kValues; ++i) values[i] = warp_reduce<Sum>(values[i]);
  if (blockDim.x == kWarp) return;
  const unsigned warps = blockDim.x / kWarp, warp = threadIdx.x / kWarp;
  const unsigned lane = threadIdx.x % kWarp;
  float* own = scratch + threadIdx.y * kRowSumFloats<kValues>;
  if (lane == 0) {
    for (int i = 0; i < kValues; ++i) own[warp * kValues + i] = values[i];
  }
  __syncthreads();
  for (int i = 0; i < kValues; ++i) {
    values[i] = warp_reduce<Sum>(lane < warps ? own[lane * kValues + i] : 0.0F);
  }
}

}  // namespace stepmark::cuda
