// SPDX-License-Identifier: Apache-2.0
// out[i] = f(in[i] ...) over flat arrays. Each thread has several packs of every input on the way
// before it uses the first: memory's latency times its rate is more than one pack per thread.
#pragma once

#include <algorithm>

#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/vector.cuh"

namespace stepmark::cuda {

inline constexpr unsigned kMapThreads = 256;
// Blocks per SM, several times what fits at once: the last ones to end are then a small part.
inline constexpr int kMapBlocksPerSm = 64;

template <class T, int kWidth, int kPacks>
struct Packs {
  Pack<T, kWidth> v[kPacks];
};

// Inputs may be the same memory as out: an element is read by the thread that writes it.
template <int kWidth, int kPacks, class F, class Out, class... In>
__global__ void __launch_bounds__(kMapThreads)
    map_kernel(F f, std::int64_t n, Out* out, const In*... in) {
  const std::int64_t whole = n / kWidth * kWidth;
  constexpr std::int64_t kBlock = std::int64_t{kMapThreads} * kWidth;  // elements of one pack each
  const std::int64_t step = gridDim.x * kBlock * kPacks;
  std::int64_t at = blockIdx.x * kBlock * kPacks + threadIdx.x * kWidth;
  for (; at < whole; at += step) {
    const auto read = [&]<class T>(const T* from) {
      Packs<T, kWidth, kPacks> held = {};
      for (int p = 0; p < kPacks; ++p) {
        if (at + p * kBlock < whole) held.v[p] = load_pack<kWidth>(from + at + p * kBlock);
      }
      return held;
    };
    const auto write = [&](const auto&... held) {
      for (int p = 0; p < kPacks; ++p) {
        Pack<Out, kWidth> result;
        for (int j = 0; j < kWidth; ++j) store(result.v[j], f(load(held.v[p].v[j])...));
        if (at + p * kBlock < whole) store_pack<kWidth>(out + at + p * kBlock, result);
      }
    };
    write(read(in)...);
  }
  const std::int64_t left = whole + std::int64_t{blockIdx.x} * kMapThreads + threadIdx.x;
  if (left < n) store(out[left], f(load(in[left])...));
}

template <int kWidth, class F, class Out, class... In>
Enqueue map_of_width(F f, std::int64_t n, int sm_count, Out* out, const In*... in) {
  constexpr int kPacks = sizeof...(In) == 1 ? 4 : 2;
  if (n == 0) return [](cudaStream_t) {};
  const unsigned blocks =
      blocks_for((n + kWidth - 1) / kWidth, kMapThreads * kPacks, sm_count, kMapBlocksPerSm);
  return [=](cudaStream_t stream) {
    launch(&map_kernel<kWidth, kPacks, F, Out, In...>, {.blocks = blocks, .threads = kMapThreads},
           stream, f, n, out, in...);
  };
}

// f takes and gives floats (or, for arrays of integers, integers).
template <class F, class Out, class... In>
[[nodiscard]] Enqueue prepare_map(F f, std::int64_t n, int sm_count, Out* out, const In*... in) {
  constexpr std::size_t kWidest = std::max({sizeof(Out), sizeof(In)...});
  constexpr int kPack = 16 / static_cast<int>(kWidest);
  if (aligned(out, in...)) return map_of_width<kPack>(f, n, sm_count, out, in...);
  return map_of_width<1>(f, n, sm_count, out, in...);
}

}  // namespace stepmark::cuda
