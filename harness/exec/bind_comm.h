// SPDX-License-Identifier: Apache-2.0
// The one place where a program's CommShape meets the verbs of Comm; used by every device.
#pragma once

#include <cstdint>

#include "collectives/comm.h"
#include "harness/program/program.h"

namespace stepmark {

// Elements that a comm op reads from its send operand and writes to its receive operand on this
// rank; 0: the operand may be absent (a receive-only send_recv, a rooted verb away from its root).
struct CommExtent {
  std::int64_t send = 0;
  std::int64_t recv = 0;
};
[[nodiscard]] CommExtent extent_of(const CommShape& shape, const Group& group);

// Error(kUsage) for a root or peer outside the group, a negative count, a count list of wrong
// length.
void check_shape(const CommShape& shape, const Group& group);

// Calls the verb once. The shape must have passed check_shape().
void issue(const CommShape& shape, Comm& comm, const void* send, void* recv, Stream& stream);

}  // namespace stepmark
