// SPDX-License-Identifier: Apache-2.0
// bf16, fp16 and fp8 travel as unsigned integers of their width: MPI only moves them, our operators
// reduce them. A run beyond int counts is one derived type, whole pieces and a tail.
#include "collectives/mpi/mpi_types.h"

#include <array>

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
  switch (dtype) {
    case DType::f32:
      return MPI_FLOAT;
    case DType::f64:
      return MPI_DOUBLE;
    case DType::bf16:
    case DType::f16:
      return MPI_UINT16_T;
    case DType::f8e4m3:
    case DType::f8e5m2:
    case DType::u8:
      return MPI_UINT8_T;
    case DType::i8:
      return MPI_INT8_T;
    case DType::i32:
      return MPI_INT32_T;
    case DType::u32:
      return MPI_UINT32_T;
    case DType::i64:
      return MPI_INT64_T;
    case DType::u64:
      return MPI_UINT64_T;
  }
  STEPMARK_CHECK(false, "no MPI datatype for dtype {}", static_cast<int>(dtype));
}

MpiRun::MpiRun(std::size_t elements, DType dtype, std::size_t max_count)
    : count_(static_cast<int>(elements)), type_(mpi_type(dtype)) {
  if (elements <= max_count) return;
  derived_ = std::make_shared<const MpiTypeHandle>(long_run(elements, dtype, max_count));
  count_ = 1;
  type_ = derived_->get();
}

}  // namespace stepmark
