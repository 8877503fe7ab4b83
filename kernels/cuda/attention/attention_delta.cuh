// SPDX-License-Identifier: Apache-2.0
// First step of attention's backward pass: delta = rowsum(dout * out), fp32 (batch, heads, seq),
// the term that the softmax's derivative subtracts (Dao, arXiv 2307.08691, algorithm 2, line 4).
#pragma once

#include "kernels/cuda/attention/attention_layout.cuh"
#include "kernels/cuda/vector.cuh"

namespace stepmark::cuda {

inline constexpr unsigned kDeltaThreads = 256;

// kLanes neighbouring lanes share a row and read packs of kWidth elements of it.
template <class T, int kWidth, int kLanes>
__global__ void __launch_bounds__(kDeltaThreads)
    delta_kernel(const T* dout, const T* out, float* delta, AttentionLayout l) {
  static_assert(kWarp % kLanes == 0);
  const std::int64_t rows = std::int64_t{l.batch} * l.seq * l.heads;
  const std::int64_t row =
      (std::int64_t{blockIdx.x} * kDeltaThreads + threadIdx.x) / kLanes;  // (batch, seq, heads)
  float sum = 0;
  if (row < rows) {
    const int first = static_cast<int>(threadIdx.x) % kLanes * kWidth;
    for (int d = first; d < l.head_dim; d += kLanes * kWidth) {
      const auto a = load_pack<kWidth>(dout + row * l.head_dim + d);
      const auto b = load_pack<kWidth>(out + row * l.head_dim + d);
      for (int j = 0; j < kWidth; ++j) sum += load(a.v[j]) * load(b.v[j]);
    }
  }
  for (int mask = kLanes / 2; mask > 0; mask /= 2) sum += __shfl_xor_sync(kFullMask, sum, mask);
  if (row < rows && threadIdx.x % kLanes == 0) {
    const int token = static_cast<int>(row / l.heads), head = static_cast<int>(row % l.heads);
    delta[l.row(token / l.seq, head) + token % l.seq] = sum;
  }
}

[[nodiscard]] inline std::size_t delta_bytes(const AttentionLayout& l) {
  return static_cast<std::size_t>(std::int64_t{l.batch} * l.seq * l.heads) * sizeof(float);
}

template <int kWidth, int kLanes, class T>
void launch_delta(cudaStream_t stream, const T* dout, const T* out, float* delta,
                  const AttentionLayout& l) {
  const std::int64_t threads = std::int64_t{l.batch} * l.seq * l.heads * kLanes;
  const std::int64_t blocks = (threads + kDeltaThreads - 1) / kDeltaThreads;
  if (blocks > 0x7FFFFFFF) fail("attention: more blocks than one launch may have");
  launch(&delta_kernel<T, kWidth, kLanes>,
         {.blocks = static_cast<unsigned>(blocks), .threads = kDeltaThreads}, stream, dout, out,
         delta, l);
}

}  // namespace stepmark::cuda
