// SPDX-License-Identifier: Apache-2.0
// Scratch only grows while ops are prepared and is read through the pointer when they run, so that
// growing it does not invalidate what was bound before.
#include "kernels/cuda/kernel_context.h"

#include "core/cuda/check.h"

namespace stepmark::cuda {
namespace {

int attribute(cudaDeviceAttr which, int device) {
  int value = 0;
  STEPMARK_CUDA_CHECK(cudaDeviceGetAttribute(&value, which, device));
  return value;
}

}  // namespace

Scratch::~Scratch() { log_cuda_error(cudaFree(data_), "cudaFree(scratch)"); }

void Scratch::reserve(std::size_t bytes) {
  if (bytes <= bytes_) return;
  STEPMARK_CUDA_CHECK(cudaFree(data_));
  data_ = nullptr;
  bytes_ = 0;
  STEPMARK_CUDA_CHECK(cudaMalloc(&data_, bytes));
  bytes_ = bytes;
}

KernelContext::KernelContext() {
  STEPMARK_CUDA_CHECK(cudaGetDevice(&device_));
  sm_count_ = attribute(cudaDevAttrMultiProcessorCount, device_);
  compute_capability_ = attribute(cudaDevAttrComputeCapabilityMajor, device_) * 10 +
                        attribute(cudaDevAttrComputeCapabilityMinor, device_);
  block_shared_bytes_ =
      static_cast<std::size_t>(attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, device_));
  l2_bytes_ = static_cast<std::size_t>(attribute(cudaDevAttrL2CacheSize, device_));
}

}  // namespace stepmark::cuda
