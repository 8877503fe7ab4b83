// SPDX-License-Identifier: Apache-2.0
// What computes the ops that have several implementations, for records: two runs whose engines
// differ compare libraries, not machines.
#pragma once

#include <string>

#include "kernels/op.h"

namespace stepmark::cuda {

// Of the latest op of this shape that was prepared in this process; empty when none was.
struct EngineNote {
  // "cudnn 9.19.0 engine=5", "flash", "plain" (attention); "cublaslt algorithm=...", "own kernel",
  // with " epilogue=..." when the neighbouring pass is folded in and " + <pass>" when it is a
  // kernel of its own (GEMMs).
  std::string engine;
  // Why the library that should have computed it did not; empty when it did, or when nobody
  // expects it to.
  std::string refused;
};
[[nodiscard]] EngineNote engine_note(const OpShape& shape);
void note_engine(const OpShape& shape, EngineNote note);
// What is lost where own kernels use tensor cores by `mma` on a device of this compute capability
// (90 for 9.0), for `refused`; empty where that is their fastest instruction.
[[nodiscard]] std::string lost_by_mma(int compute_capability);

}  // namespace stepmark::cuda
