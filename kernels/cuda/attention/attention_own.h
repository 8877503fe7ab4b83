// SPDX-License-Identifier: Apache-2.0
// Attention by own kernels. attention.cu chooses; all of them read and write the
// operands that kernels/ops/attention.h describes.
#pragma once

#include "kernels/cuda/cuda_kernels.h"

namespace stepmark::cuda {

// Any shape with head_dim <= kPlainHeadDims, both dtypes, any alignment; fp32 arithmetic without
// tensor cores. Meant for shapes that the others do not take.
inline constexpr std::int64_t kPlainHeadDims = 256;
[[nodiscard]] Enqueue prepare_plain_attention_fwd(const OpShape& shape, void* const* operands);
[[nodiscard]] Enqueue prepare_plain_attention_bwd(const OpShape& shape, void* const* operands,
                                                  KernelContext& context);

// bf16 with head_dim 64 or 128, all operands but lse aligned to 16 bytes; tensor cores.
[[nodiscard]] bool flash_attention_takes(const OpShape& shape, void* const* operands);
[[nodiscard]] Enqueue prepare_flash_attention_fwd(const OpShape& shape, void* const* operands);
[[nodiscard]] Enqueue prepare_flash_attention_bwd(const OpShape& shape, void* const* operands,
                                                  KernelContext& context);

}  // namespace stepmark::cuda
