// SPDX-License-Identifier: Apache-2.0
// Plain reads of the runtime, on the current device. Integers of versions are printed as CUDA
// writes them.
#include "harness/exec/cuda/cuda_facts.h"

#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <array>

#include "core/cuda/check.h"

namespace stepmark {

CudaFacts cuda_facts() {
  int device = 0;
  STEPMARK_CUDA_CHECK(cudaGetDevice(&device));
  cudaDeviceProp properties{};
  STEPMARK_CUDA_CHECK(cudaGetDeviceProperties(&properties, device));
  std::array<char, 32> bus{};
  STEPMARK_CUDA_CHECK(cudaDeviceGetPCIBusId(bus.data(), static_cast<int>(bus.size()), device));
  std::size_t free_bytes = 0, total_bytes = 0;
  STEPMARK_CUDA_CHECK(cudaMemGetInfo(&free_bytes, &total_bytes));
  CudaFacts facts{.name = properties.name,
                  .pci_bus_id = bus.data(),
                  .compute_capability = properties.major * 10 + properties.minor,
                  .free_bytes = static_cast<std::int64_t>(free_bytes),
                  .total_bytes = static_cast<std::int64_t>(total_bytes),
                  .l2_bytes = properties.l2CacheSize};
  STEPMARK_CUDA_CHECK(cudaRuntimeGetVersion(&facts.runtime_version));
  STEPMARK_CUDA_CHECK(cudaDriverGetVersion(&facts.driver_version));
  return facts;
}

std::string cuda_version_text(int version) {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

}  // namespace stepmark
