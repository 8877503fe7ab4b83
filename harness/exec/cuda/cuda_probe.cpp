// SPDX-License-Identifier: Apache-2.0
// Calls of the CUDA runtime whose failures are findings: nothing throws, what is not told stays
// empty. Judged by harness/doctor.
#include "harness/exec/cuda/cuda_probe.h"

#include <cuda_runtime_api.h>

#include <fstream>

namespace stepmark {
namespace {

ComputeMode mode_of(int mode) {
  if (mode == cudaComputeModeDefault) return ComputeMode::shared;
  return mode == cudaComputeModeProhibited ? ComputeMode::prohibited : ComputeMode::one_process;
}

void probe_gpus(CudaProbe& probe) {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess) {
    probe.error = cudaGetErrorString(status);
    return;
  }
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp properties{};
    int mode = cudaComputeModeDefault;
    if (cudaGetDeviceProperties(&properties, i) != cudaSuccess ||
        cudaDeviceGetAttribute(&mode, cudaDevAttrComputeMode, i) != cudaSuccess) {
      continue;
    }
    probe.gpus.push_back({.index = i,
                          .name = properties.name,
                          .compute_capability = properties.major * 10 + properties.minor,
                          .memory_bytes = static_cast<double>(properties.totalGlobalMem),
                          .mode = mode_of(mode)});
  }
}

}  // namespace

CudaProbe probe_cuda() {
  CudaProbe probe{.built = true};
  if (cudaRuntimeGetVersion(&probe.runtime_version) != cudaSuccess) probe.runtime_version = 0;
  if (cudaDriverGetVersion(&probe.driver_version) != cudaSuccess) probe.driver_version = 0;
  std::ifstream module("/proc/driver/nvidia/version");
  std::getline(module, probe.kernel_module);
  probe_gpus(probe);
  probe.libraries = probe_gpu_libraries(probe.runtime_version);
  return probe;
}

}  // namespace stepmark
