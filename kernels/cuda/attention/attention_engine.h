// SPDX-License-Identifier: Apache-2.0
// Which implementation computes attention here. Environment variable STEPMARK_ATTENTION: "own",
// "cudnn", "deterministic" or "auto" (the default). auto takes cuDNN where it can, and own kernels
// otherwise; cudnn does the same, and warns where it cannot. deterministic leaves cuDNN the forward
// pass and takes own kernels, which add up in a fixed order, for the backward pass.
#pragma once

#include <optional>
#include <string>

#include "kernels/cuda/cuda_kernels.h"

namespace stepmark::cuda {

// The op by cuDNN (and its engine noted), where STEPMARK_ATTENTION asks for it and cuDNN can.
// `refused`: why it could not where it should have; says so once per reason. Throws Error(kUsage)
// for a value of STEPMARK_ATTENTION that is none.
[[nodiscard]] std::optional<Enqueue> try_cudnn_attention(const OpShape& shape,
                                                         void* const* operands,
                                                         KernelContext& context,
                                                         std::string* refused);

}  // namespace stepmark::cuda
