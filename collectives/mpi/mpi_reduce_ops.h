// SPDX-License-Identifier: Apache-2.0
// Reduction operators: MPI's own for the types that MPI knows, ours for bf16, fp16 and fp8, which
// combine two elements in float and round once per pair.
#pragma once

#include <mpi.h>

#include <vector>

#include "collectives/comm.h"
#include "collectives/mpi/mpi_check.h"

namespace stepmark {

class MpiReduceOps {
 public:
  MpiReduceOps();  // after MPI_Init
  // avg reduces as sum; the division is the caller's.
  [[nodiscard]] MPI_Op get(DType dtype, ReduceOp op) const;

 private:
  std::vector<MpiOpHandle> handles_;  // [format][sum, min, max, prod]
};

}  // namespace stepmark
