// SPDX-License-Identifier: Apache-2.0
// Attention over chunks by own kernels; context.cu chooses.
#pragma once

#include "kernels/cuda/cuda_kernels.h"

namespace stepmark::cuda {

// Any shape with head_dim <= kPlainHeadDims, both dtypes, any alignment; no tensor cores.
[[nodiscard]] Enqueue prepare_plain_chunks_fwd(const OpShape& shape, void* const* operands);
[[nodiscard]] Enqueue prepare_plain_chunks_bwd(const OpShape& shape, void* const* operands,
                                               KernelContext& context);

// bf16 with head_dim 64 or 128, bf16 operands aligned to 16 bytes, fp32 ones to pairs; tensor
// cores.
[[nodiscard]] Enqueue prepare_flash_chunks_fwd(const OpShape& shape, void* const* operands);
[[nodiscard]] Enqueue prepare_flash_chunks_bwd(const OpShape& shape, void* const* operands,
                                               KernelContext& context);

}  // namespace stepmark::cuda
