// SPDX-License-Identifier: Apache-2.0
// OpenBLAS names its own core type, which is chosen while running and need not be the instruction
// set of our kernels; both are in the name.
#include "kernels/host/engine.h"

#include <sstream>

#include "kernels/host/sets.h"
#include "kernels/host/sgemm.h"

namespace stepmark {
namespace {

// "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ...": name and version lead.
std::string openblas() {
  std::istringstream config(openblas_get_config());
  std::string name, version;
  config >> name >> version;
  return "openblas " + version + " " + openblas_get_corename();
}

std::string own() { return "own " + std::string(host_set().name); }

}  // namespace

std::string host_engine_of(const OpShape& shape) {
  switch (shape.id) {
    case OpId::gemm:
    case OpId::gemm_gelu:
    case OpId::gemm_dgelu:
    case OpId::gemm_bias_grad:
    case OpId::fp8_gemm:
      return openblas();
    case OpId::attention_fwd:
    case OpId::attention_bwd:
    case OpId::attention_chunks_fwd:
    case OpId::attention_chunks_bwd:
      return own() + " with " + openblas();
    default:
      return own();
  }
}

}  // namespace stepmark
