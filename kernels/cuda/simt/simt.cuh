// SPDX-License-Identifier: Apache-2.0
// What kernel sources use of the GPU beyond plain CUDA C++: launching, shared memory, and the
// tensor-core and asynchronous-copy instructions that CUDA has no function for.
//
// Kernels include <simt/simt.cuh> and nothing else of CUDA. This is the GPU's version; the tests
// compile the same kernel sources against tests/emulation/simt/simt.cuh, which runs them on the CPU
// thread by thread. So that both can: shared memory comes from block_shared() only (no __shared__),
// warp operations are those of this file plus __shfl_xor_sync, __shfl_sync, __shfl_down_sync,
// __shfl_up_sync and __syncwarp over whole warps, and block-wide ones are __syncthreads.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp8.h>
#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "core/cuda/check.h"

// In front of a loop whose count is known when compiling: unrolls it, so that arrays indexed in it
// can stay in registers.
#define STEPMARK_UNROLL _Pragma("unroll")
// In front of a loop that must stay one, to save registers.
#define STEPMARK_ROLLED _Pragma("unroll 1")

namespace stepmark::cuda {

inline constexpr unsigned kWarp = 32;
inline constexpr unsigned kFullMask = 0xFFFFFFFFU;

struct Launch {
  dim3 blocks;
  dim3 threads;
  std::size_t shared_bytes = 0;  // of block_shared()
};

// Shared memory that every architecture grants without being asked.
inline constexpr std::size_t kDefaultSharedBytes = std::size_t{48} << 10;

// Enqueues kernel(args...) on the stream.
template <class... P>
void launch(void (*kernel)(P...), const Launch& l, cudaStream_t stream,
            std::type_identity_t<P>... args) {
  if (l.shared_bytes > kDefaultSharedBytes) {
    STEPMARK_CUDA_CHECK(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                             cudaFuncAttributeMaxDynamicSharedMemorySize,
                                             static_cast<int>(l.shared_bytes)));
  }
  kernel<<<l.blocks, l.threads, l.shared_bytes, stream>>>(args...);
  STEPMARK_CUDA_CHECK(cudaPeekAtLastError());
}

// The block's dynamic shared memory, aligned to 128 bytes. Not initialised.
__device__ inline std::byte* block_shared() {
  extern __shared__ __align__(128) unsigned char stepmark_block_shared[];
  return reinterpret_cast<std::byte*>(stepmark_block_shared);
}

// *to = value in global memory, in one access: left alone, the compiler may store a struct member
// by member, whatever its alignment.
template <class T>
__device__ inline void store_whole(T* to, const T& value) {
  if constexpr (sizeof(T) == sizeof(uint4) && alignof(T) == sizeof(T)) {
    __stwb(reinterpret_cast<uint4*>(to), *reinterpret_cast<const uint4*>(&value));
  } else if constexpr (sizeof(T) == sizeof(uint2) && alignof(T) == sizeof(T)) {
    __stwb(reinterpret_cast<uint2*>(to), *reinterpret_cast<const uint2*>(&value));
  } else {
    *to = value;
  }
}

// Nanoseconds of a clock that all SMs share.
__device__ inline std::uint64_t global_timer_ns() {
  std::uint64_t ns;
  asm volatile("mov.u64 %0, %globaltimer;" : "=l"(ns));
  return ns;
}

__device__ inline std::uint32_t shared_address(const void* shared) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
}

// Copies 16 bytes from global to shared memory in the background; zeroes them when !valid (global
// is then not read). Both addresses are multiples of 16.
__device__ inline void copy_async_16(void* shared, const void* global, bool valid) {
  const int bytes = valid ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)),
               "l"(__cvta_generic_to_global(global)), "r"(bytes)
               : "memory");
}
// Closes a group of copies.
__device__ inline void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits until at most `kPending` of this thread's latest groups are under way.
template <int kPending>
__device__ inline void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

// Four 8x8 matrices of 16-bit elements from shared memory: lane i gives the address of row i % 8 of
// matrix i / 8 (16 bytes, aligned). r[j] of lane l holds elements 2 (l % 4) and the next one of row
// l / 4 of matrix j. PTX ISA, ldmatrix.
__device__ inline void load_matrix_x4(std::uint32_t (&r)[4], const void* shared_row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(shared_row))
               : "memory");
}
// The same with every matrix transposed.
__device__ inline void load_matrix_x4_transposed(std::uint32_t (&r)[4], const void* shared_row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(shared_row))
               : "memory");
}

// d (16x8, fp32) += a (16x16, bf16, row-major) * b (16x8, bf16, column-major). With g = lane / 4
// and t = lane % 4: a[0] row g, columns 2t and 2t+1; a[1] row g+8; a[2], a[3] the same 8 columns
// on; b[0] rows 2t and 2t+1 of column g, b[1] 8 rows on; d[0], d[1] row g, columns 2t and 2t+1;
// d[2], d[3] row g+8. PTX ISA, mma.m16n8k16.
__device__ inline void mma_bf16_16x8x16(float (&d)[4], const std::uint32_t (&a)[4],
                                        const std::uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// 2^x to 2 units in the last place; results below 2^-126 are 0. PTX ISA, ex2.approx.ftz.
__device__ inline float exp2_approx(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

}  // namespace stepmark::cuda
