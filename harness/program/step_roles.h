// SPDX-License-Identifier: Apache-2.0
// Which ranks of a step play one role (cast.h): those of one stage whose shards have the same
// sizes. Where a shard begins shows in kernels only, and data-parallel ranks differ in their batch
// alone, so a step has one role per stage and size of vocabulary shard; tests compare the programs
// of all ranks.
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

}  // namespace stepmark
