// SPDX-License-Identifier: Apache-2.0
// Reading (and writing in place) one array of any alignment in aligned packs: the elements before
// the first pack and after the last one are taken singly. So rows of 50257 columns are as fast as
// any.
#pragma once

#include "kernels/cuda/vector.cuh"

namespace stepmark::cuda {

// The calling thread's number among those that share the work.
struct Share {
  std::int64_t index, count;
};
__device__ inline Share share_of_block() { return {threadIdx.x, blockDim.x}; }
__device__ inline Share share_of_grid() {
  return {std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x,
          std::int64_t{gridDim.x} * blockDim.x};
}

// Calls f(first, pack) for the share of all n elements, with packs of 16 bytes or of one element;
// kPacks of the former are under way at once. count is at least a pack's elements.
template <int kPacks, class T, class F>
__device__ inline void for_span(const T* from, std::int64_t n, Share share, F f) {
  constexpr int kWidth = kPackElements<T>;
  const auto past = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(from) % 16);
  const std::int64_t until_aligned = (16 - past) % 16 / static_cast<std::int64_t>(sizeof(T));
  const std::int64_t head = until_aligned < n ? until_aligned : n;
  const std::int64_t packs = (n - head) / kWidth, tail = head + packs * kWidth;
  if (share.index < head) f(share.index, load_pack<1>(from + share.index));
  for (std::int64_t p = share.index; p < packs; p += kPacks * share.count) {
    Pack<T, kWidth> held[kPacks] = {};
    for (int i = 0; i < kPacks; ++i) {
      const std::int64_t at = p + i * share.count;
      if (at < packs) held[i] = load_pack<kWidth>(from + head + at * kWidth);
    }
    for (int i = 0; i < kPacks; ++i) {
      const std::int64_t at = p + i * share.count;
      if (at < packs) f(head + at * kWidth, held[i]);
    }
  }
  const std::int64_t left = tail + share.index;
  if (left < n) f(left, load_pack<1>(from + left));
}

}  // namespace stepmark::cuda
