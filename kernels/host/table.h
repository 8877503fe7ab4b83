// SPDX-License-Identifier: Apache-2.0
// One function per op, defined in kernels/host/<family>.cpp.
//
// Rules for all of them: operands as OpInfo says, aligned to their element size, not overlapping
// unless the shape's header allows it. Work is shared by OpenMP with the calling thread's
// omp_get_max_threads(); partial sums are cut by size and not by thread, so only matrix products
// (GEMM, attention) may round differently with another number of threads, and no result depends on
// timing. Arithmetic is in fp32, also for bf16 operands. NaN in gives NaN out.
#pragma once

#include "kernels/op.h"

namespace stepmark {

#define STEPMARK_HOST_KERNEL(name) void host_##name(const OpShape& shape, void* const* operands);
STEPMARK_OPS(STEPMARK_HOST_KERNEL)
#undef STEPMARK_HOST_KERNEL

}  // namespace stepmark
