// SPDX-License-Identifier: Apache-2.0
// On how many nodes a run was. Internal to results/contract.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "results/record/journal.h"

namespace stepmark {

struct NodeCount {
  std::optional<std::int64_t> nodes;
  std::string unknown;  // why there is none
};

// The hosts that the run names; else what its case's id says ("/nodes4"); else its ranks over
// `gpus_per_node`. None where not every GPU of a node had a rank: a floor for whole nodes says
// nothing of a part of one.
[[nodiscard]] NodeCount node_count(const Run& run, const Record& record,
                                   std::int64_t gpus_per_node);
// How many ranks every host of the run has; nothing where it names none or they differ.
[[nodiscard]] std::optional<std::int64_t> ranks_per_host(const Run& run);

}  // namespace stepmark
