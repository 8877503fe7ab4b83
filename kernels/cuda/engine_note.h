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

}  // namespace stepmark::cuda
