// SPDX-License-Identifier: Apache-2.0
// The emulated GPU's version of kernels/cuda/simt/simt.cuh: the same kernel sources, compiled as
// C++ and run on the CPU, every GPU thread a fiber. It proves a kernel's arithmetic, indexing and
// synchronisation; it says nothing about speed, memory ordering between warps or register use.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp8.h>
#include <cuda_runtime.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "core/cuda/check.h"
#include "tests/emulation/runtime/emulated_stream.h"
#include "tests/emulation/simt/grid.h"

#define threadIdx (::stepmark::simt::self().thread)
#define blockIdx (::stepmark::simt::self().block)
#define blockDim (::stepmark::simt::self().threads)
#define gridDim (::stepmark::simt::self().blocks)
// Arrays declared so would be private to each thread here: kernels use block_shared().
#undef __shared__
#define __shared__ use_block_shared_instead_of___shared__
#undef __launch_bounds__
#define __launch_bounds__(...)
#define STEPMARK_UNROLL
#define STEPMARK_ROLLED

inline void __syncthreads() { ::stepmark::simt::sync_block(); }
inline void __syncwarp(unsigned = ~0U) { (void)::stepmark::simt::exchange("syncwarp", nullptr, 0); }

namespace stepmark::simt {

// Every lane's value, as the lanes of one warp give it at one and the same call.
template <class T>
std::array<T, 32> all_lanes(const char* what, const T& value) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= kSlotBytes);
  const WarpSlots& slots = exchange(what, &value, sizeof(T));
  std::array<T, 32> all{};
  for (std::size_t lane = 0; lane < 32; ++lane)
    std::memcpy(&all[lane], slots[lane].data(), sizeof(T));
  return all;
}

template <class T>
T from_lane(const char* what, T value, int lane) {
  const std::array<T, 32> all = all_lanes(what, value);
  return lane >= 0 && lane < 32 ? all[static_cast<std::size_t>(lane)] : value;
}

}  // namespace stepmark::simt

template <class T>
T __shfl_xor_sync(unsigned, T value, int mask, int = 32) {
  return stepmark::simt::from_lane("shfl_xor", value, stepmark::simt::lane() ^ mask);
}
template <class T>
T __shfl_sync(unsigned, T value, int lane, int = 32) {
  return stepmark::simt::from_lane("shfl", value, lane & 31);
}
template <class T>
T __shfl_down_sync(unsigned, T value, unsigned delta, int = 32) {
  return stepmark::simt::from_lane("shfl_down", value,
                                   stepmark::simt::lane() + static_cast<int>(delta));
}
template <class T>
T __shfl_up_sync(unsigned, T value, unsigned delta, int = 32) {
  return stepmark::simt::from_lane("shfl_up", value,
                                   stepmark::simt::lane() - static_cast<int>(delta));
}

inline unsigned __ballot_sync(unsigned, int predicate) {
  const auto all = stepmark::simt::all_lanes("ballot", predicate);
  unsigned bits = 0;
  for (std::size_t lane = 0; lane < 32; ++lane) bits |= (all[lane] != 0 ? 1U : 0U) << lane;
  return bits;
}
inline int __ffs(unsigned bits) { return bits == 0 ? 0 : std::countr_zero(bits) + 1; }

// One GPU thread runs at a time: plain operations are atomic.
template <class T>
T atomicAdd(T* to, std::type_identity_t<T> value) {
  const T old = *to;
  *to = old + value;
  return old;
}
template <class T>
T atomicMax(T* to, std::type_identity_t<T> value) {
  const T old = *to;
  *to = old < value ? value : old;
  return old;
}
inline void __threadfence() {}
inline void __nanosleep(unsigned) { stepmark::simt::yield(); }
template <class T>
T __ldg(const T* from) {
  return *from;
}
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline float rsqrtf(float x) { return 1.0F / std::sqrt(x); }
inline float __frcp_rn(float x) { return 1.0F / x; }
inline void sincosf(float x, float* s, float* c) {
  *s = std::sin(x);
  *c = std::cos(x);
}
inline void sincospif(float x, float* s, float* c) {
  const double angle = 3.14159265358979323846 * static_cast<double>(x);
  *s = static_cast<float>(std::sin(angle));
  *c = static_cast<float>(std::cos(angle));
}
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __int_as_float(int bits) { return std::bit_cast<float>(bits); }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }

namespace stepmark::cuda {

inline constexpr unsigned kWarp = 32;
inline constexpr unsigned kFullMask = 0xFFFFFFFFU;

struct Launch {
  dim3 blocks;
  dim3 threads;
  std::size_t shared_bytes = 0;
};
inline constexpr std::size_t kDefaultSharedBytes = std::size_t{48} << 10;

template <class... P>
void launch(void (*kernel)(P...), const Launch& l, cudaStream_t stream,
            std::type_identity_t<P>... args) {
  simt::check_launch(l.blocks, l.threads, l.shared_bytes);
  emulation::enqueue(stream, [=] {
    simt::run_grid(l.blocks, l.threads, l.shared_bytes, [&] { kernel(args...); });
  });
}

inline std::byte* block_shared() { return simt::self().shared; }

template <class T>
void store_whole(T* to, const T& value) {
  *to = value;
}

inline std::uint64_t global_timer_ns() { return simt::timer_ns(); }

// A copy takes effect when it is waited for, as late as the GPU may make it.
inline void copy_async_16(void* shared, const void* global, bool valid) {
  simt::copy_later(shared, global, valid);
}
inline void copy_async_commit() { simt::commit_copies(); }
template <int kPending>
void copy_async_wait() {
  simt::wait_for_copies(kPending);
}

using Row = std::array<std::uint16_t, 8>;

inline void load_matrix(std::uint32_t (&r)[4], const void* shared_row, bool transposed) {
  Row own;
  simt::check_shared(shared_row, sizeof(Row));
  std::memcpy(own.data(), shared_row, sizeof(Row));
  const auto rows = simt::all_lanes("ldmatrix", own);
  const auto lane = static_cast<std::size_t>(simt::lane());
  for (std::size_t j = 0; j < 4; ++j) {
    const auto element = [&](std::size_t row, std::size_t column) -> std::uint32_t {
      return rows[8 * j + row][column];
    };
    const std::size_t major = lane / 4, minor = 2 * (lane % 4);
    const std::uint32_t low = transposed ? element(minor, major) : element(major, minor);
    const std::uint32_t high = transposed ? element(minor + 1, major) : element(major, minor + 1);
    r[j] = low | high << 16;
  }
}
inline void load_matrix_x4(std::uint32_t (&r)[4], const void* row) { load_matrix(r, row, false); }
inline void load_matrix_x4_transposed(std::uint32_t (&r)[4], const void* row) {
  load_matrix(r, row, true);
}

inline void mma_bf16_16x8x16(float (&d)[4], const std::uint32_t (&a)[4],
                             const std::uint32_t (&b)[2]) {
  using Fragments = std::array<std::uint32_t, 6>;
  const auto all = simt::all_lanes("mma", Fragments{a[0], a[1], a[2], a[3], b[0], b[1]});
  const auto number = [&](std::size_t lane, std::size_t word, std::size_t half) {
    const std::uint32_t bits = all[lane][word] >> (16 * half);
    return std::bit_cast<float>(bits << 16);
  };
  const auto lane = static_cast<std::size_t>(simt::lane());
  for (std::size_t i = 0; i < 4; ++i) {
    const std::size_t row = lane / 4 + (i >= 2 ? 8 : 0), column = 2 * (lane % 4) + i % 2;
    for (std::size_t k = 0; k < 16; ++k) {
      const std::size_t pair = (k % 8) / 2;
      const std::size_t a_word = (row >= 8 ? 1U : 0U) + (k >= 8 ? 2U : 0U);
      d[i] += number(4 * (row % 8) + pair, a_word, k % 2) *
              number(4 * column + pair, 4 + (k >= 8 ? 1U : 0U), k % 2);
    }
  }
}

inline float exp2_approx(float x) { return std::exp2(x); }

}  // namespace stepmark::cuda
