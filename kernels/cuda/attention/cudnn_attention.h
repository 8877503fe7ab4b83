// SPDX-License-Identifier: Apache-2.0
// Attention by cuDNN's fused kernels, as a graph of the operations that they recognise.
#pragma once

#include <optional>
#include <string>

#include "kernels/cuda/cuda_kernels.h"

namespace stepmark::cuda {

class CudnnAttention {
 public:
  // bf16, heads that are multiples of 8 from 32 to 256 wide, sequences of more than one token, all
  // operands aligned to 16 bytes. What else cuDNN refuses depends on its version and the GPU.
  [[nodiscard]] static bool takes(const OpShape& shape, void* const* operands);
  struct Prepared {
    Enqueue enqueue;
    // "cudnn 9.19.0 engine=5"; without the number where cuDNN does not tell. " sums=unordered":
    // adds up in no fixed order, so that last bits can change from run to run.
    std::string engine;
  };
  // Empty when cuDNN cannot do it: *reason says why. Compiled once per shape and device. The
  // backward pass adds up dQ with atomics.
  [[nodiscard]] static std::optional<Prepared> try_prepare(const OpShape& shape,
                                                           void* const* operands,
                                                           KernelContext& context,
                                                           std::string* reason);
  // How many were compiled in this process.
  [[nodiscard]] static int plans();
};

}  // namespace stepmark::cuda
