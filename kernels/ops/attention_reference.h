// SPDX-License-Identifier: Apache-2.0
// Naive attention in double, forward and backward; operands as in kernels/ops/attention.h.
#pragma once

#include <functional>

#include "kernels/ops/attention.h"

namespace stepmark {

void attention_fwd_reference(const AttentionFwdShape& s, Operands operands);
void attention_bwd_reference(const AttentionBwdShape& s, Operands operands);
// Token i of each sequence is at position_of(i).
void rope_reference(const RopeShape& s, Operands operands,
                    const std::function<std::int64_t(std::int64_t)>& position_of);

}  // namespace stepmark
