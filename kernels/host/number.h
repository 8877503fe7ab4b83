// SPDX-License-Identifier: Apache-2.0
// Loads and stores of the host kernels: inline twins of core/dtype's conversions that compilers
// turn into vector code (tests/unit/kernels checks that they agree), and dispatch on dtype.
#pragma once

#include <bit>
#include <cstdint>
#include <memory>

#include "core/dtype.h"
#include "kernels/host/parallel.h"

namespace stepmark::host {

inline float load(float x) { return x; }
inline float load(bf16 x) { return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16); }

inline void store(float& to, float x) { to = x; }
// To nearest, ties to even; NaN becomes a quiet NaN of the same sign.
inline void store(bf16& to, float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
  const std::uint32_t quiet = (bits >> 16) | 0x40U;
  const bool nan = (bits & 0x7FFF'FFFFU) > 0x7F80'0000U;
  to.bits = static_cast<std::uint16_t>(nan ? quiet : rounded);
}

// Calls f with a value of the storage type, float or bf16 (shapes are validated before).
template <class F>
void with_type(DType dtype, F f) {
  if (dtype == DType::bf16) {
    f(bf16{});
  } else {
    f(float{});
  }
}

template <class T>
const T* input(void* const* operands, int index) {
  return static_cast<const T*>(operands[index]);
}
template <class T>
T* output(void* const* operands, int index) {
  return static_cast<T*>(operands[index]);
}

template <class From, class To>
void convert(const From* from, To* to, std::int64_t n) {
  parallel_elements(n, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) store(to[i], load(from[i]));
  });
}

// Not initialised: the first touch is by the threads that fill it.
using Scratch = std::unique_ptr<float[]>;
inline Scratch make_scratch(std::int64_t elements) {
  return std::make_unique_for_overwrite<float[]>(static_cast<std::size_t>(elements));
}
inline Scratch widened(const bf16* from, std::int64_t elements) {
  Scratch scratch = make_scratch(elements);
  convert(from, scratch.get(), elements);
  return scratch;
}

}  // namespace stepmark::host
