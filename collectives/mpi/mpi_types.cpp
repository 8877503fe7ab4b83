// SPDX-License-Identifier: Apache-2.0
// bf16, fp16 and fp8 travel as unsigned integers of their width: MPI only moves them, our operators
// reduce them. A run beyond int counts is one derived type, whole pieces and a tail.
#include "collectives/mpi/mpi_types.h"

#include <array>
#include <tuple>

namespace stepmark {
namespace {

MpiTypeHandle contiguous(std::size_t count, MPI_Datatype of) {
  MPI_Datatype type = MPI_DATATYPE_NULL;
  STEPMARK_MPI(MPI_Type_contiguous(static_cast<int>(count), of, &type));
  return MpiTypeHandle(type);
}

// body (whole pieces of max_count elements) followed by tail, as one type.
MpiTypeHandle long_run(std::size_t elements, DType dtype, std::size_t max_count) {
  const std::size_t pieces = elements / max_count;
  const MpiTypeHandle piece = contiguous(max_count, mpi_type(dtype));
  const MpiTypeHandle body = contiguous(pieces, piece.get());
  const MpiTypeHandle tail = contiguous(elements % max_count, mpi_type(dtype));
  const std::array<int, 2> lengths{1, 1};
  const std::array<MPI_Aint, 2> offsets{0,
                                        static_cast<MPI_Aint>(pieces * max_count * size_of(dtype))};
  const std::array<MPI_Datatype, 2> types{body.get(), tail.get()};
  MPI_Datatype type = MPI_DATATYPE_NULL;
  STEPMARK_MPI(MPI_Type_create_struct(2, lengths.data(), offsets.data(), types.data(), &type));
  MpiTypeHandle owner(type);
  STEPMARK_MPI(MPI_Type_commit(&type));
  return owner;
}

}  // namespace

MPI_Datatype mpi_type(DType dtype) {
  // In the order of DType. No constants: MPI's handles are addresses in its library.
  static const std::array<MPI_Datatype, 12> types{
      MPI_FLOAT,  MPI_DOUBLE,  MPI_UINT16_T, MPI_UINT16_T, MPI_UINT8_T, MPI_UINT8_T,
      MPI_INT8_T, MPI_UINT8_T, MPI_INT32_T,  MPI_UINT32_T, MPI_INT64_T, MPI_UINT64_T};
  static_assert(std::tuple_size_v<decltype(types)> == static_cast<std::size_t>(DType::u64) + 1);
  return types.at(static_cast<std::size_t>(dtype));
}

MpiRun::MpiRun(std::size_t elements, DType dtype, std::size_t max_count)
    : count_(static_cast<int>(elements)), type_(mpi_type(dtype)) {
  if (elements <= max_count) return;
  derived_ = std::make_shared<const MpiTypeHandle>(long_run(elements, dtype, max_count));
  count_ = 1;
  type_ = derived_->get();
}

}  // namespace stepmark
