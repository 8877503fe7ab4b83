// SPDX-License-Identifier: Apache-2.0
// Runs on one node share what that node is: they are no independent samples of nodes. Which unit of
// a comparison is: the run, or the node. Internal to results/compare.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "results/record/journal.h"

namespace stepmark {

enum class Level : std::uint8_t {
  runs,       // all on the same node, or runs do not name theirs, or nodes are what is compared
  nodes,      // sides on nodes of their own: the means over each node's runs are compared
  node_pairs  // both sides on the same nodes: the differences on each node are compared
};
[[nodiscard]] std::string_view name_of(Level level);

struct NodeLevel {
  Level level = Level::runs;
  // The node of each run (repetitions count as runs), as an index from 0 that both sides share.
  std::vector<std::size_t> baseline, candidate, history;
  std::size_t nodes = 0;  // of all
  int baseline_nodes = 0, candidate_nodes = 0;
  // One node a side, and not the same: nothing tells the side from the node.
  [[nodiscard]] bool is_confounded() const {
    return level == Level::nodes && baseline_nodes == 1 && candidate_nodes == 1;
  }
};

// The hosts that each run of the side names (`placement ranks by host`), repetitions counted; empty
// where it names none. A run of several hosts is on a node of its own kind: all of them.
[[nodiscard]] std::vector<std::string> nodes_of(std::span<const Run> runs);

// Level `runs` where any run of a side names none.
[[nodiscard]] NodeLevel node_level(std::span<const std::string> baseline,
                                   std::span<const std::string> candidate,
                                   std::span<const std::string> history = {});

}  // namespace stepmark
