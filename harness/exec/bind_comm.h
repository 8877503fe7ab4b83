// SPDX-License-Identifier: Apache-2.0
// A program's communication in its group, before it is bound.
#pragma once

#include "collectives/comm_shape.h"
#include "harness/program/program.h"

namespace stepmark {

// Error(kUsage) for a root or peer outside the group, a negative count, a count list of wrong
// length.
void check_shape(const CommShape& shape, const Group& group);

}  // namespace stepmark
