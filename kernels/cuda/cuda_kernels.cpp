// SPDX-License-Identifier: Apache-2.0
// The table is indexed by OpId: an op without its prepare function does not link. The library's
// version is put into the engine's name here, once, and not by each kernel.
#include "kernels/cuda/cuda_kernels.h"

#include <string_view>

#include "kernels/cuda/gemm/cublaslt.h"

namespace stepmark::cuda {

Enqueue prepare(const OpShape& shape, void* const* operands, KernelContext& context) {
  using Prepare = Enqueue (*)(const OpShape&, void* const*, KernelContext&);
#define STEPMARK_CUDA_ENTRY(name) &prepare_##name,
  static constexpr Prepare kTable[] = {STEPMARK_OPS(STEPMARK_CUDA_ENTRY)};
#undef STEPMARK_CUDA_ENTRY
  validate_shape(shape);
  return kTable[static_cast<std::size_t>(shape.id)](shape, operands, context);
}

EngineNote engine_of(const OpShape& shape) {
  constexpr std::string_view kLibrary = "cublaslt";
  EngineNote note = engine_note(shape);
  if (note.engine.starts_with(kLibrary)) {
    note.engine.insert(kLibrary.size(), " " + cublaslt().version);
  }
  return note;
}

}  // namespace stepmark::cuda
