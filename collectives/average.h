// SPDX-License-Identifier: Apache-2.0
// What ReduceOp::avg means here: the sum in the dtype's arithmetic, then one division by the number
// of ranks. Floats divide in float (fp64 in double) and round once to the dtype; integers round
// toward zero, as NCCL's post-divide does. (NCCL multiplies float inputs by 1/n *before* the sum:
// equal to this wherever 1/n is exact, that is for powers of two.)
#pragma once

#include <cstddef>

#include "core/dtype.h"

namespace stepmark {

// The average for a sum that is exact in `dtype`, before the final rounding to the dtype.
[[nodiscard]] double average_of(double sum, int ranks, DType dtype);

// data[i] = data[i] / ranks for `count` elements in host memory.
void divide_in_place(void* data, std::size_t count, DType dtype, int ranks);

}  // namespace stepmark
