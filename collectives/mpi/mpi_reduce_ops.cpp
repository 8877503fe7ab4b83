// SPDX-License-Identifier: Apache-2.0
// One row of user-defined operators per small float format, created once: MPI_Op_create in a timed
// loop would be measured. Declared commutative, so that MPI keeps its fast algorithms.
#include "collectives/mpi/mpi_reduce_ops.h"

#include <algorithm>
#include <optional>

namespace stepmark {
namespace {

using Combine = float (*)(float, float);
float sum_of(float a, float b) { return a + b; }
float min_of(float a, float b) { return std::min(a, b); }
float max_of(float a, float b) { return std::max(a, b); }
float product_of(float a, float b) { return a * b; }

// The signature of MPI_User_function.
template <class T, Combine combine>
void combine_elements(void* in, void* inout, int* length, MPI_Datatype*) {
  const T* a = static_cast<const T*>(in);
  T* b = static_cast<T*>(inout);
  for (int i = 0; i < *length; ++i) b[i] = from_float<T>(combine(to_float(a[i]), to_float(b[i])));
}

template <class T>
void add_format(std::vector<MpiOpHandle>& handles) {
  for (MPI_User_function* function :
       {&combine_elements<T, sum_of>, &combine_elements<T, min_of>, &combine_elements<T, max_of>,
        &combine_elements<T, product_of>}) {
    MPI_Op op = MPI_OP_NULL;
    STEPMARK_MPI(MPI_Op_create(function, /*commute=*/1, &op));
    handles.emplace_back(op);
  }
}

// Row of the format in the table of our operators; none where MPI's own serve.
std::optional<std::size_t> format_row(DType dtype) {
  switch (dtype) {
    case DType::bf16:
      return 0;
    case DType::f16:
      return 1;
    case DType::f8e4m3:
      return 2;
    case DType::f8e5m2:
      return 3;
    default:
      return std::nullopt;
  }
}

}  // namespace

MpiReduceOps::MpiReduceOps() {
  add_format<bf16>(handles_);
  add_format<f16>(handles_);
  add_format<f8e4m3>(handles_);
  add_format<f8e5m2>(handles_);
}

MPI_Op MpiReduceOps::get(DType dtype, ReduceOp op) const {
  const auto row = format_row(dtype);
  const auto select = [&](MPI_Op native, std::size_t column) {
    return row ? handles_[*row * 4 + column].get() : native;
  };
  switch (op) {
    case ReduceOp::sum:
    case ReduceOp::avg:
      return select(MPI_SUM, 0);
    case ReduceOp::min:
      return select(MPI_MIN, 1);
    case ReduceOp::max:
      return select(MPI_MAX, 2);
    case ReduceOp::prod:
      return select(MPI_PROD, 3);
  }
  STEPMARK_CHECK(false, "no MPI operator for reduction {}", static_cast<int>(op));
}

}  // namespace stepmark
