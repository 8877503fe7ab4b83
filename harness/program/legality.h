// SPDX-License-Identifier: Apache-2.0
// What must hold of one rank's program by itself: every op is either a kernel or a communication on
// a stream that exists, waits for earlier ops only, and finds operands of the size and type that
// its shape asks for within their buffers. Asked by validation of all ranks and by executors.
#pragma once

#include <cstdint>
#include <string>

#include "harness/program/program.h"

namespace stepmark {

// A root or peer outside the group, a count that is negative or beyond what is exact in 64 bits,
// count lists of another length; empty: none.
[[nodiscard]] std::string shape_problem(const CommShape& shape, const Group& group);

// What is wrong with op `index`; empty: nothing.
[[nodiscard]] std::string op_problem(const Program& program, std::int32_t index);

// Error(kUsage) naming the first op at fault. Executors' prepare() calls it.
void check_ops(const Program& program);

}  // namespace stepmark
