// SPDX-License-Identifier: Apache-2.0
// The one place where a program's CommShape meets the verbs of Comm; used by every device.
#pragma once

#include "collectives/comm.h"
#include "harness/program/program.h"

namespace stepmark {

// Error(kUsage) for a root or peer outside the group, a negative count, a count list of wrong
// length.
void check_shape(const CommShape& shape, const Group& group);

// Calls the verb once. The shape must have passed check_shape().
void issue(const CommShape& shape, Comm& comm, const void* send, void* recv, Stream& stream);

}  // namespace stepmark
