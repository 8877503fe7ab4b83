// SPDX-License-Identifier: Apache-2.0
// Attention: which engine computes a shape.
#include "kernels/cuda/attention/attention_engine.h"
#include "kernels/cuda/attention/attention_own.h"
#include "kernels/cuda/engine_note.h"
#include "kernels/cuda/vector.cuh"
#include "kernels/ops/attention.h"

namespace stepmark::cuda {
namespace {

bool is_empty(const OpShape& shape) { return dim_of(shape, "batch") * dim_of(shape, "seq") == 0; }

void require_plain(const OpShape& shape) {
  if (dim_of(shape, "head_dim") > kPlainHeadDims) {
    fail(std::string(info_of(shape.id).name) + ": head_dim beyond 256 is not supported on the GPU");
  }
}

}  // namespace

bool flash_attention_takes(const OpShape& shape, void* const* operands) {
  const std::int64_t head_dim = dim_of(shape, "head_dim");
  if (shape.dtype != DType::bf16 || (head_dim != 64 && head_dim != 128)) return false;
  // Rows are whole packs: with the operands' begin, all of them are aligned.
  for (std::size_t i = 0; i < info_of(shape.id).operands.size(); ++i) {
    if (dtype_of(shape, i) == DType::bf16 && !aligned(operands[i])) return false;
  }
  return true;
}

namespace {

// By cuDNN where that takes it, else by the fused kernels, else by the plain ones.
template <class Flash, class Plain>
Enqueue by_first_that_takes(const OpShape& shape, void* const* operands, KernelContext& context,
                            Flash flash, Plain plain) {
  if (is_empty(shape)) return [](cudaStream_t) {};
  std::string refused;
  if (auto enqueue = try_cudnn_attention(shape, operands, context, &refused)) {
    return *std::move(enqueue);
  }
  if (flash_attention_takes(shape, operands)) {
    note_engine(shape, {.engine = "flash", .refused = refused});
    return flash();
  }
  require_plain(shape);
  note_engine(shape, {.engine = "plain", .refused = refused});
  return plain();
}

}  // namespace

Enqueue prepare_attention_fwd(const OpShape& shape, void* const* operands, KernelContext& context) {
  return by_first_that_takes(
      shape, operands, context, [&] { return prepare_flash_attention_fwd(shape, operands); },
      [&] { return prepare_plain_attention_fwd(shape, operands); });
}

Enqueue prepare_attention_bwd(const OpShape& shape, void* const* operands, KernelContext& context) {
  return by_first_that_takes(
      shape, operands, context,
      [&] { return prepare_flash_attention_bwd(shape, operands, context); },
      [&] { return prepare_plain_attention_bwd(shape, operands, context); });
}

}  // namespace stepmark::cuda
