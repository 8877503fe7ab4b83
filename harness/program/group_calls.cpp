// SPDX-License-Identifier: Apache-2.0
// One walk over the ops. A step repeats few different calls, so looking them up in a list is quick.
#include "harness/program/group_calls.h"

#include <algorithm>

#include "core/error.h"

namespace stepmark {

std::vector<GroupCalls> calls_by_group(const Program& program) {
  std::vector<GroupCalls> result;
  for (const Group& group : program.groups) {
    result.push_back({.group = group, .distinct = {}, .calls = {}});
  }
  for (std::size_t i = 0; i < program.ops.size(); ++i) {
    const Op& op = program.ops[i];
    if (!op.comm) continue;
    const auto of = std::find_if(result.begin(), result.end(), [&](const GroupCalls& calls) {
      return calls.group.axis == op.comm->axis;
    });
    STEPMARK_REQUIRE(of != result.end(), "program '{}' has no group '{}'", program.name,
                     op.comm->axis);
    const auto known = std::find(of->distinct.begin(), of->distinct.end(), *op.comm);
    const auto index = static_cast<std::size_t>(known - of->distinct.begin());
    if (known == of->distinct.end()) of->distinct.push_back(*op.comm);
    of->calls.push_back(
        {.distinct = index,
         .at = (static_cast<double>(i) + 0.5) / static_cast<double>(program.ops.size())});
  }
  return result;
}

}  // namespace stepmark
