// SPDX-License-Identifier: Apache-2.0
// What the program of a plan says in its groups, as traffic that can be checked element by element:
// verbs, counts, types, peers and order are the program's. Internal to harness/cases.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/control.h"
#include "harness/cases/group_lanes.h"
#include "harness/program/group_calls.h"

namespace stepmark {

// The size, as nccl-tests counts, that makes the collective of the verb's name this call; nothing
// for a verb that no check is made for. Of send_recv the size of the message.
[[nodiscard]] std::optional<std::int64_t> checked_size(const CommShape& shape, int ranks);

// The very call, out of place. Its data follow from the group, the call and `seed`, so that what
// another call or group left is wrong. Nothing where checked_size gives nothing.
[[nodiscard]] std::optional<Traffic> traffic_of(const CommShape& shape, const Group& group,
                                                std::uint64_t seed);

// What a group does in a step, on the rank that moves most bytes in it.
struct GroupTraffic {
  std::string group;
  std::string ops;  // "all_gather fp32 x 8, reduce_scatter fp32 x 4"
  std::int64_t ranks = 0, calls = 0;
  double size_bytes = 0, bus_bytes = 0;  // of all calls
};

struct PlanTraffic {
  std::vector<GroupLane> lanes;      // of the groups in which anybody talks, in the program's order
  std::vector<GroupTraffic> groups;  // by lane, the same on all ranks
  std::string problem;               // of the first group that cannot be checked; then no lanes
};
// From every rank's program of the same plan. Collective.
[[nodiscard]] PlanTraffic traffic_of_plan(Control& control, const Program& program,
                                          std::uint64_t seed);

}  // namespace stepmark
