// SPDX-License-Identifier: Apache-2.0
// The probe of a binary built without a CUDA toolkit.
#include "harness/exec/cuda/cuda_probe.h"

namespace stepmark {

CudaProbe probe_cuda() { return {}; }

}  // namespace stepmark
