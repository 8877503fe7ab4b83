// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/cuda_kernels.h"

#include "kernels/cuda/attention_engine.h"
#include "kernels/cuda/gemm_engine.h"

namespace stepmark::cuda {

Enqueue prepare(const OpShape& shape, void* const* operands, KernelContext& context) {
  using Prepare = Enqueue (*)(const OpShape&, void* const*, KernelContext&);
#define STEPMARK_CUDA_ENTRY(name) &prepare_##name,
  static constexpr Prepare kTable[] = {STEPMARK_OPS(STEPMARK_CUDA_ENTRY)};
#undef STEPMARK_CUDA_ENTRY
  validate_shape(shape);
  return kTable[static_cast<std::size_t>(shape.id)](shape, operands, context);
}

std::string engine_of(const OpShape& shape) {
  // Each knows its own shapes only.
  const std::string attention = attention_engine(shape);
  return attention.empty() ? gemm_engine(shape) : attention;
}

}  // namespace stepmark::cuda
