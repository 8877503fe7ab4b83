// SPDX-License-Identifier: Apache-2.0
// Judges the facts about CUDA, its GPUs and its libraries. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "harness/doctor/finding.h"
#include "harness/exec/cuda/cuda_probe.h"

namespace stepmark {

// `ranks`: how many shall run on this host.
[[nodiscard]] std::vector<Finding> gpu_findings(const CudaProbe& probe, int ranks);

// "2.28.9" of 22809: NCCL, cuBLAS and cuDNN 9 all count major * 10000 + minor * 100 + patch.
[[nodiscard]] std::string library_version(int version);

}  // namespace stepmark
