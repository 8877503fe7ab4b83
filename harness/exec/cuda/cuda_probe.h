// SPDX-License-Identifier: Apache-2.0
// What CUDA looks like from here, for `doctor`. Linked in one of two forms by the build: with the
// CUDA runtime (harness/exec/cuda/cuda_probe.cpp), or without.
#pragma once

#include <string>
#include <vector>

namespace stepmark {

struct CudaGpu {
  int index = 0;
  std::string name;
  int compute_capability = 0;  // 90 for 9.0
  double memory_bytes = 0;
  bool exclusive = false;  // compute mode forbids several processes on the GPU
};

struct CudaProbe {
  bool built = false;       // the binary was built with a CUDA toolkit
  int runtime_version = 0;  // 13000 for 13.0
  int driver_version = 0;   // the newest CUDA that the driver supports; 0: no driver
  std::string error;        // of looking for GPUs; empty when that worked
  std::vector<CudaGpu> gpus;
};

// Never throws: whatever goes wrong is what it reports.
[[nodiscard]] CudaProbe probe_cuda();

}  // namespace stepmark
