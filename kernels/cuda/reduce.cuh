// SPDX-License-Identifier: Apache-2.0
// Sums and maxima over a warp or a block, in a fixed order: the same result every time.
#pragma once

#include <simt/simt.cuh>

namespace stepmark::cuda {

struct Sum {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
  static constexpr float kIdentity = 0.0F;
};
// NaN wins, as in the references.
struct Max {
  __device__ float operator()(float a, float b) const { return a > b || a != a ? a : b; }
  static constexpr float kIdentity = -INFINITY;
};

// The result in all lanes. All lanes take part.
template <class Op, class T>
__device__ inline T warp_reduce(T value) {
  for (int mask = 16; mask > 0; mask /= 2) {
    value = Op{}(value, __shfl_xor_sync(kFullMask, value, mask));
  }
  return value;
}

// The result in all threads of a one-dimensional block whose size is a multiple of 32. `scratch`:
// shared memory for 32 values of T; free for reuse when the call returns. All threads take part.
template <class Op, class T>
__device__ inline T block_reduce(T value, T* scratch) {
  const unsigned warps = blockDim.x / kWarp, warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  value = warp_reduce<Op>(value);
  if (lane == 0) scratch[warp] = value;
  __syncthreads();
  value = warp_reduce<Op>(lane < warps ? scratch[lane] : static_cast<T>(Op::kIdentity));
  __syncthreads();
  return value;
}

}  // namespace stepmark::cuda
