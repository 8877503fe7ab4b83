// SPDX-License-Identifier: Apache-2.0
// Numbers and 16-byte packs of them: memory-bound kernels move whole packs, and fall back to single
// elements where an operand is not aligned or a row is not a whole number of packs.
#pragma once

#include <simt/simt.cuh>

#include "core/dtype.h"

namespace stepmark::cuda {

using bfloat = __nv_bfloat16;

__device__ inline float load(float x) { return x; }
__device__ inline float load(bfloat x) { return __bfloat162float(x); }
__device__ inline void store(float& to, float x) { to = x; }
__device__ inline void store(bfloat& to, float x) { to = __float2bfloat16(x); }  // nearest even
// Numbers that are only moved, as bits.
__device__ inline std::uint16_t load(std::uint16_t x) { return x; }
__device__ inline std::uint32_t load(std::uint32_t x) { return x; }
__device__ inline void store(std::uint16_t& to, std::uint16_t x) { to = x; }
__device__ inline void store(std::uint32_t& to, std::uint32_t x) { to = x; }

// N elements that are read and written in one access.
template <class T, int N>
struct alignas(sizeof(T) * N) Pack {
  T v[N];
};
template <class T>
inline constexpr int kPackElements = 16 / static_cast<int>(sizeof(T));

template <int N, class T>
__device__ inline Pack<T, N> load_pack(const T* from) {
  return *reinterpret_cast<const Pack<T, N>*>(from);
}
template <int N, class T>
__device__ inline void store_pack(T* to, const Pack<T, N>& pack) {
  store_whole(reinterpret_cast<Pack<T, N>*>(to), pack);
}

// Whether packs of 16 bytes may be used for these pointers. Null counts as aligned.
template <class... P>
[[nodiscard]] bool aligned(const P*... pointers) {
  return ((reinterpret_cast<std::uintptr_t>(pointers) % 16 == 0) && ...);
}

template <class T>
[[nodiscard]] const T* input(void* const* operands, int index) {
  return static_cast<const T*>(operands[index]);
}
template <class T>
[[nodiscard]] T* output(void* const* operands, int index) {
  return static_cast<T*>(operands[index]);
}

// Calls f with a value of the storage type, float or bfloat (shapes are validated before).
template <class F>
auto with_type(DType dtype, F f) {
  return dtype == DType::bf16 ? f(bfloat{}) : f(float{});
}
// The same with an unsigned integer of that size, for what is only moved: it stays the same to the
// bit.
template <class F>
auto with_bits(DType dtype, F f) {
  return dtype == DType::bf16 ? f(std::uint16_t{}) : f(std::uint32_t{});
}
// Calls f with std::integral_constant<int, width>: the pack's elements, or 1.
template <class T, class F>
auto with_width(bool packs, F f) {
  return packs ? f(std::integral_constant<int, kPackElements<T>>{})
               : f(std::integral_constant<int, 1>{});
}

// Blocks of `threads` for `items`, at most `per_sm` on each SM: kernels loop over the rest.
[[nodiscard]] inline unsigned blocks_for(std::int64_t items, unsigned threads, int sm_count,
                                         int per_sm = 8) {
  const std::int64_t wanted = (items + threads - 1) / threads;
  const std::int64_t most = std::int64_t{sm_count} * per_sm;
  return static_cast<unsigned>(wanted < 1 ? 1 : wanted < most ? wanted : most);
}

}  // namespace stepmark::cuda
