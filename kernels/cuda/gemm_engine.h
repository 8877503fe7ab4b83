// SPDX-License-Identifier: Apache-2.0
// How matrix products are computed here, for records: two runs whose engines differ compare
// libraries, not machines.
#pragma once

#include <string>

#include "kernels/op.h"

namespace stepmark::cuda {

// "cublaslt algorithm=...", "own kernel", with " epilogue=..." when the neighbouring pass is folded
// in and " + <pass>" when it is a kernel of its own. Of the latest op of this shape that was
// prepared in this process; empty when none was.
[[nodiscard]] std::string gemm_engine(const OpShape& shape);
void note_gemm_engine(const OpShape& shape, std::string engine);

}  // namespace stepmark::cuda
