// SPDX-License-Identifier: Apache-2.0
// The probe of a binary built without a CUDA toolkit.
#include "harness/exec/cuda/cuda_probe.h"

namespace stepmark {

CudaProbe probe_cuda() { return {}; }

std::vector<GpuLibrary> probe_gpu_libraries(int) { return {}; }

}  // namespace stepmark
