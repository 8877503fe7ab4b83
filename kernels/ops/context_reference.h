// SPDX-License-Identifier: Apache-2.0
// Naive attention over chunks in double, forward and backward; operands as in
// kernels/ops/context.h.
#pragma once

#include "kernels/ops/context.h"

namespace stepmark {

void attention_chunks_fwd_reference(const AttentionChunksFwdShape& s, Operands operands);
void attention_chunks_bwd_reference(const AttentionChunksBwdShape& s, Operands operands);

}  // namespace stepmark
