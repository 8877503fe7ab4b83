// SPDX-License-Identifier: Apache-2.0
// Runs a kernel's grid on the CPU: blocks one after another, a block's threads as fibers that give
// way at barriers and warp operations. What would hang or be undefined on a GPU is an Error here:
// lanes of a warp at different warp operations, threads that end while others wait at a barrier,
// accesses through ldmatrix outside the block's shared memory.
#pragma once

#include <vector_types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace stepmark::simt {

inline constexpr std::size_t kSlotBytes = 32;
using WarpSlots = std::array<std::array<std::byte, kSlotBytes>, 32>;

// The calling GPU thread's place.
struct Thread {
  uint3 thread{};
  uint3 block{};
  dim3 threads;
  dim3 blocks;
  std::byte* shared = nullptr;
};
[[nodiscard]] const Thread& self();
[[nodiscard]] int lane();

// Runs `body` once per thread of the grid. Shared memory starts as noise, not as zero.
void run_grid(dim3 blocks, dim3 threads, std::size_t shared_bytes,
              const std::function<void()>& body);
// Limits of the GPUs that kernels are written for (CUDA programming guide, compute capability 8.0:
// 1024 threads, 163 KiB of shared memory per block, 2^31-1 x 65535 x 65535 blocks).
void check_launch(dim3 blocks, dim3 threads, std::size_t shared_bytes);

void sync_block();
// Lets the other threads of the block go on.
void yield();
// All lanes of the warp that have not ended meet here, at the same `what`; each sees what each gave
// (size bytes at value). Valid until the lane's next operation.
const WarpSlots& exchange(const char* what, const void* value, std::size_t size);

void copy_later(void* shared, const void* global, bool valid);
void commit_copies();
void wait_for_copies(int pending);
void check_shared(const void* address, std::size_t bytes);
[[nodiscard]] std::uint64_t timer_ns();

}  // namespace stepmark::simt
