// SPDX-License-Identifier: Apache-2.0
// Attention over chunks by own kernels without tensor cores; context.cu says which shapes they
// take.
#pragma once

#include "kernels/cuda/cuda_kernels.h"

namespace stepmark::cuda {

[[nodiscard]] Enqueue prepare_plain_chunks_fwd(const OpShape& shape, void* const* operands);
[[nodiscard]] Enqueue prepare_plain_chunks_bwd(const OpShape& shape, void* const* operands,
                                               KernelContext& context);

}  // namespace stepmark::cuda
