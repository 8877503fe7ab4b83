// SPDX-License-Identifier: Apache-2.0
// Which ranks of a step play one role (cast.h): those of one stage whose shards have the same
// sizes. Where a shard begins shows in kernels only, and data-parallel ranks differ in their batch
// and, where the optimizer's state is sharded, in which shard of each bucket they update, so a step
// has one role per stage, part of the sequences (whose ranks send to different neighbours) and size
// of vocabulary shard; tests compare the programs of all ranks.
// What an update waits for depends on the parameters in its shard, which decides nothing between
// ranks: they issue the same ops in the same order, and an op waits for earlier ones only.
#pragma once

#include <cstdint>
#include <vector>

#include "harness/spec/model.h"
#include "harness/spec/plan.h"

namespace stepmark {

struct StepRoles {
  std::vector<std::int32_t> ranks;    // by role: the first rank that plays it; rank 0's is first
  std::vector<std::int32_t> role_of;  // by rank
};
// `plan` must be resolved for `model`.
[[nodiscard]] StepRoles step_roles(const Model& model, const Plan& plan);
// Of a stage the ranks one of which needs most memory: its first one, whose shards are the largest,
// or, where a seed spreads tokens unevenly over experts, the one whose experts get most rows in all
// layers together, which it keeps, and the one whose experts get most in one layer, which it has
// room for.
[[nodiscard]] std::vector<std::int32_t> largest_ranks(const Model& model, const Plan& plan,
                                                      std::int32_t stage);

}  // namespace stepmark
