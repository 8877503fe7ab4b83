// SPDX-License-Identifier: Apache-2.0
// Ranks are told apart by the rows of their vocabulary shard, the one size in which ranks of a step
// may differ.
#include "harness/program/step_roles.h"

#include <map>

#include "harness/program/step.h"
#include "harness/spec/param_layout.h"

namespace stepmark {

StepRoles step_roles(const Model& model, const Plan& plan) {
  const Mesh mesh = step_mesh(plan);
  StepRoles roles;
  std::map<std::int64_t, std::int32_t> role_of_size;
  for (std::int32_t rank = 0; rank < mesh.size(); ++rank) {
    const std::int64_t rows = shards_of(model, plan, rank).vocab.count;
    const auto next = static_cast<std::int32_t>(roles.ranks.size());
    const auto [found, fresh] = role_of_size.try_emplace(rows, next);
    if (fresh) roles.ranks.push_back(rank);
    roles.role_of.push_back(found->second);
  }
  return roles;
}

}  // namespace stepmark
