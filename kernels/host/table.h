// SPDX-License-Identifier: Apache-2.0
// One function per op, defined in kernels/host/<family>.cpp.
//
// Rules for all of them: operands as OpInfo says, aligned to their element size, not overlapping
// unless the shape's header allows it. Work is shared by OpenMP with the calling thread's
// omp_get_max_threads(); partial sums are cut by size and not by thread, so only GEMMs
// (GEMM, attention) may round differently with another number of threads, and no result depends on
// timing. Arithmetic is in fp32, also for bf16 operands. NaN in gives NaN out.
//
// These files are compiled once per instruction set, and the copies meet in one program: of each
// set only its table (kernels/host/table.cpp) is visible outside, so that no inline function or
// template of one set can stand in for another's (kernels/CMakeLists.txt). Code outside
// kernels/host takes kernels from host_kernel or host_sets and includes none of these headers.
#pragma once

#include "kernels/op.h"

namespace stepmark {

#define STEPMARK_HOST_KERNEL(name) void host_##name(const OpShape& shape, void* const* operands);
STEPMARK_OPS(STEPMARK_HOST_KERNEL)
#undef STEPMARK_HOST_KERNEL

}  // namespace stepmark
