// SPDX-License-Identifier: Apache-2.0
// Reads zeros several times the size of L2, with a write that never happens so that the compiler
// keeps the reads. Reading leaves no dirty lines, whose write-back would fall into the measurement.
#include "kernels/cuda/sweep.h"

#include "kernels/cuda/vector.cuh"

namespace stepmark::cuda {
namespace {

constexpr unsigned kThreads = 512;
constexpr int kWidth = kPackElements<std::uint32_t>;

// Nothing is ever written, since all are zeros; the compiler cannot know, and so has to read them.
__global__ void __launch_bounds__(kThreads) sweep_kernel(std::uint32_t* zeros, std::int64_t packs) {
  std::uint32_t bits = 0;
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < packs; i += step) {
    const auto pack = load_pack<kWidth>(zeros + i * kWidth);
    for (int j = 0; j < kWidth; ++j) bits |= pack.v[j];
  }
  if (bits != 0) *zeros = bits;
}

}  // namespace

void sweep_caches(void* zeros, std::size_t bytes, int sm_count, cudaStream_t stream) {
  const auto packs = static_cast<std::int64_t>(bytes / 16);
  if (packs == 0) return;
  launch(&sweep_kernel, {.blocks = blocks_for(packs, kThreads, sm_count, 4), .threads = kThreads},
         stream, static_cast<std::uint32_t*>(zeros), packs);
}

}  // namespace stepmark::cuda
