// SPDX-License-Identifier: Apache-2.0
// What the ranks of a step say to each other, group by group, without what is computed in between:
// the calls that a rank's program issues in each of its groups, in order.
#pragma once

#include <cstddef>
#include <vector>

#include "harness/program/program.h"

namespace stepmark {

struct GroupCalls {
  Group group;
  std::vector<CommShape> distinct;  // in the order of their first call
  struct Call {
    std::size_t distinct = 0;
    // Where in the program it is issued: from 0, its begin, to 1; grows from call to call.
    double at = 0;
  };
  std::vector<Call> calls;  // none: this rank takes no part in what others do in the group
};

// Of every group of the program, in its order.
[[nodiscard]] std::vector<GroupCalls> calls_by_group(const Program& program);

}  // namespace stepmark
