// SPDX-License-Identifier: Apache-2.0
// Naive attention in double, forward and backward; operands as in kernels/ops/attention.h.
#pragma once

#include "kernels/ops/attention.h"

namespace stepmark {

void attention_fwd_reference(const AttentionFwdShape& s, Operands operands);
void attention_bwd_reference(const AttentionBwdShape& s, Operands operands);

}  // namespace stepmark
