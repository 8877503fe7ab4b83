// SPDX-License-Identifier: Apache-2.0
// What CUDA looks like from here, for `doctor`: facts, no judgement. Linked in one of two forms by
// the build: with the CUDA runtime (cuda_probe.cpp, library_probe.cpp), or without.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace stepmark {

enum class ComputeMode : std::uint8_t { shared, one_process, prohibited };

struct CudaGpu {
  int index = 0;
  std::string name;
  int compute_capability = 0;  // 90 for 9.0
  double memory_bytes = 0;
  ComputeMode mode = ComputeMode::shared;
};

// A library that is looked for while running.
struct GpuLibrary {
  std::string name;      // "NCCL"
  std::string variable;  // environment variable that names another file
  std::string file;      // the name looked for first
  std::string path;      // where it was found; empty: nowhere
  std::string error;     // the loader's words when it was not found, or not usable
  int version = 0;       // as the library tells: 22809 for NCCL 2.28.9; 0: it does not
  int built_with = 0;    // the same of the header that this program was built with; 0: unknown
};

struct CudaProbe {
  bool built = false;         // the binary was built with a CUDA toolkit
  int runtime_version = 0;    // 13000 for 13.0
  int driver_version = 0;     // the newest CUDA that the driver supports; 0: no driver
  std::string kernel_module;  // of the NVIDIA driver, as the kernel tells it; empty: not loaded
  std::string error;          // of looking for GPUs; empty when that worked
  std::vector<CudaGpu> gpus;
  std::vector<GpuLibrary> libraries;
};

// Never throws: whatever goes wrong is what it reports.
[[nodiscard]] CudaProbe probe_cuda();

// NCCL, cuBLASLt, cuDNN and NVML, in this order.
[[nodiscard]] std::vector<GpuLibrary> probe_gpu_libraries(int cuda_runtime_version);

}  // namespace stepmark
