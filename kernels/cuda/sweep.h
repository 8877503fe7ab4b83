// SPDX-License-Identifier: Apache-2.0
// Emptying the GPU's caches ahead of a cold measurement.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

namespace stepmark::cuda {

// Enqueues a kernel that reads `bytes` (a multiple of 16) of device memory from a 16-byte boundary
// on, which takes the place of what the caches held. It reads, because lines that were written stay
// dirty: the kernel that is timed next would pay for writing them back. The memory must be zero.
void sweep_caches(void* zeros, std::size_t bytes, int sm_count, cudaStream_t stream);

}  // namespace stepmark::cuda
