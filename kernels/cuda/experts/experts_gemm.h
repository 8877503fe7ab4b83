// SPDX-License-Identifier: Apache-2.0
// The experts' GEMMs on tensor cores: bf16, all widths multiples of 8, operands aligned to 16
// bytes, at least one result. experts_gemm.cu computes the others.
#pragma once

#include "kernels/cuda/cuda_kernels.h"

namespace stepmark::cuda {

[[nodiscard]] Enqueue prepare_mma_experts_gemm(const OpShape& shape, void* const* operands);
[[nodiscard]] Enqueue prepare_mma_experts_wgrad(const OpShape& shape, void* const* operands);

}  // namespace stepmark::cuda
