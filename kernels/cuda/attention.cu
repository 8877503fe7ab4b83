// SPDX-License-Identifier: Apache-2.0
// Attention: which engine computes a shape.
#include "kernels/cuda/attention_engines.h"
#include "kernels/cuda/attention_layout.cuh"

namespace stepmark::cuda {
namespace {

template <class S>
bool is_empty(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  return s.batch * s.seq == 0;
}
template <class S>
void require_plain(const OpShape& shape) {
  if (unpack<S>(shape).head_dim > kPlainHeadDims) {
    fail(std::string(info_of(shape.id).name) + ": head_dim beyond 256 is not supported on the GPU");
  }
}

}  // namespace

Enqueue prepare_attention_fwd(const OpShape& shape, void* const* operands, KernelContext&) {
  if (is_empty<AttentionFwdShape>(shape)) return [](cudaStream_t) {};
  require_plain<AttentionFwdShape>(shape);
  return prepare_plain_attention_fwd(shape, operands);
}

Enqueue prepare_attention_bwd(const OpShape& shape, void* const* operands, KernelContext& context) {
  if (is_empty<AttentionBwdShape>(shape)) return [](cudaStream_t) {};
  require_plain<AttentionBwdShape>(shape);
  return prepare_plain_attention_bwd(shape, operands, context);
}

}  // namespace stepmark::cuda
