// SPDX-License-Identifier: Apache-2.0
// Splits the world once per axis. The smallest member of a group is its colour; every rank takes
// part in every split, also one that is alone, because a split is collective.
#include <algorithm>
#include <utility>

#include "core/error.h"
#include "harness/exec/executor.h"

namespace stepmark {
namespace {

class SplitCommSet final : public CommSet {
 public:
  SplitCommSet(Comm& world, const Program& program) {
    STEPMARK_REQUIRE(world.size() == program.world_size,
                     "program {} is for {} ranks, {} are running", program.name, program.world_size,
                     world.size());
    for (const Group& group : program.groups) {
      STEPMARK_REQUIRE(!group.ranks.empty(), "group of axis {} is empty", group.axis);
      STEPMARK_REQUIRE(find(group.axis) == nullptr, "axis {} has two groups", group.axis);
      comms_.emplace_back(group.axis, comm_of(world, group));
    }
  }

  Comm& of(std::string_view axis) override {
    Comm* comm = find(axis);
    STEPMARK_REQUIRE(comm != nullptr, "program has no group of axis {}", axis);
    return *comm;
  }

 private:
  // Groups of one axis are disjoint, so the smallest member names a group. Groups of one rank take
  // part in the split as well: another rank's group of the same axis may be larger.
  static std::unique_ptr<Comm> comm_of(Comm& world, const Group& group) {
    const bool alone = group.ranks.size() == 1;
    const int color = alone ? -1 : *std::min_element(group.ranks.begin(), group.ranks.end());
    std::unique_ptr<Comm> comm = world.split(color, group.index);
    if (alone) return world.alone();
    STEPMARK_CHECK(
        comm != nullptr && comm->size() == std::ssize(group.ranks) && comm->rank() == group.index,
        "split for axis {} gave a group of another shape", group.axis);
    return comm;
  }

  Comm* find(std::string_view axis) const {
    const auto it = std::find_if(comms_.begin(), comms_.end(),
                                 [&](const auto& entry) { return entry.first == axis; });
    return it == comms_.end() ? nullptr : it->second.get();
  }

  std::vector<std::pair<std::string, std::unique_ptr<Comm>>> comms_;
};

}  // namespace

std::unique_ptr<CommSet> make_comm_set(Comm& world, const Program& program) {
  return std::make_unique<SplitCommSet>(world, program);
}

}  // namespace stepmark
