// SPDX-License-Identifier: Apache-2.0
// Arithmetic of reductions on host memory with the conversions of CUDA's headers, independent of
// ours: every pair is combined in float (fp64 in double) and rounded to the type.
#pragma once

#include <nccl.h>

#include <cstddef>

namespace stepmark::emulation {

[[nodiscard]] std::size_t size_of(ncclDataType_t type);

// into[i] = into[i] op from[i]; op is one of sum, prod, max, min.
void combine(void* into, const void* from, std::size_t count, ncclDataType_t type, ncclRedOp_t op);
// data[i] = data[i] * factor, rounded to the type: what NCCL does to inputs of PreMulSum and of
// averages of floating types.
void scale(void* data, std::size_t count, ncclDataType_t type, double factor);
// data[i] = data[i] / ranks toward zero: averages of integers, after the sum.
void divide(void* data, std::size_t count, ncclDataType_t type, int ranks);
[[nodiscard]] bool is_floating(ncclDataType_t type);
// The scalar of PreMulSum.
[[nodiscard]] double scalar_value(const void* scalar, ncclDataType_t type);

}  // namespace stepmark::emulation
