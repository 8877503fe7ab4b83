// SPDX-License-Identifier: Apache-2.0
// The CUDA backend's table of kernels, generated from the list of ops. Preparing an op does what is
// slow (choosing algorithms, reserving scratch) and binds its operands; what it returns only
// enqueues, as often as wanted, also while a graph is being captured.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>
#include <string>

#include "kernels/cuda/engine_note.h"
#include "kernels/cuda/kernel_context.h"
#include "kernels/op.h"

namespace stepmark::cuda {

using Enqueue = std::function<void(cudaStream_t)>;

// Operands as OpInfo says: device pointers, aligned to their element size, not overlapping unless
// the shape's header allows it. Arithmetic in fp32, also for bf16 operands; NaN in gives NaN out;
// results do not depend on timing (no floating-point atomics), but for what cuDNN computes
// backwards (attention_engine.h). Throws Error for what the device or its libraries cannot do.
[[nodiscard]] Enqueue prepare(const OpShape& shape, void* const* operands, KernelContext& context);

// Which library (with its version) or kernel of ours computes ops of this shape, as prepared last
// in this process, for the ops that have several; empty for all others.
[[nodiscard]] EngineNote engine_of(const OpShape& shape);

// One function per op, defined in kernels/cuda/<family>.cu.
#define STEPMARK_CUDA_KERNEL(name) \
  Enqueue prepare_##name(const OpShape& shape, void* const* operands, KernelContext& context);
STEPMARK_OPS(STEPMARK_CUDA_KERNEL)
#undef STEPMARK_CUDA_KERNEL

}  // namespace stepmark::cuda
