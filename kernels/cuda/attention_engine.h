// SPDX-License-Identifier: Apache-2.0
// Which implementation computes attention here, for records: two runs whose engines differ compare
// libraries, not machines. Environment variable STEPMARK_ATTENTION: "own", "cudnn" or "auto" (the
// default). auto takes cuDNN where it can, and own kernels otherwise; cudnn does the same, and
// warns where it cannot.
#pragma once

#include <optional>
#include <string>

#include "kernels/cuda/cuda_kernels.h"

namespace stepmark::cuda {

// "cudnn 9.19.0", "flash" (own kernels on tensor cores) or "plain" (own kernels without). Of the
// latest op of this shape that was prepared in this process; empty when none was.
[[nodiscard]] std::string attention_engine(const OpShape& shape);
void note_attention_engine(const OpShape& shape, std::string engine);

// The op by cuDNN, where STEPMARK_ATTENTION asks for it and cuDNN can. Says once per reason why it
// cannot. Throws Error(kUsage) for a value of STEPMARK_ATTENTION that is none.
[[nodiscard]] std::optional<Enqueue> try_cudnn_attention(const OpShape& shape,
                                                         void* const* operands,
                                                         KernelContext& context);

}  // namespace stepmark::cuda
