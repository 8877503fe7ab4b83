// SPDX-License-Identifier: Apache-2.0
// Element types as MPI datatypes, and runs of elements longer than MPI's int counts.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <limits>
#include <memory>

#include "collectives/mpi/mpi_check.h"
#include "core/dtype.h"

namespace stepmark {

// Largest count given to one MPI call. Tests lower it to walk the paths for long buffers.
inline constexpr std::size_t kMaxMpiCount = std::numeric_limits<int>::max();

// bf16, fp16 and fp8 travel as unsigned integers of their width.
[[nodiscard]] MPI_Datatype mpi_type(DType dtype);

// `elements` consecutive elements as (count, type) of an MPI call: the plain type where the count
// fits, else one element of a derived type. Copyable, so that a task can hold it.
class MpiRun {
 public:
  MpiRun(std::size_t elements, DType dtype, std::size_t max_count);
  [[nodiscard]] int count() const { return count_; }
  [[nodiscard]] MPI_Datatype type() const { return type_; }

 private:
  int count_;
  MPI_Datatype type_;
  std::shared_ptr<const MpiTypeHandle> derived_;
};

}  // namespace stepmark
