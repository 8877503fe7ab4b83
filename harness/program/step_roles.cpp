// SPDX-License-Identifier: Apache-2.0
// Ranks are told apart by the rows of their vocabulary shard, the one size in which ranks of a step
// may differ, and by their part of the sequences, which says whom they talk to.
#include "harness/program/step_roles.h"

#include <map>
#include <tuple>

#include "harness/program/step.h"
#include "harness/spec/param_layout.h"
#include "harness/spec/step_mesh.h"

namespace stepmark {

StepRoles step_roles(const Model& model, const Plan& plan) {
  const StepMesh mesh(plan);
  StepRoles roles;
  std::map<std::tuple<std::int32_t, std::int32_t, std::int64_t>, std::int32_t> role_of;
  for (std::int32_t rank = 0; rank < mesh.size(); ++rank) {
    const std::int64_t rows = shards_of(model, plan, rank).vocab.count;
    const auto next = static_cast<std::int32_t>(roles.ranks.size());
    const auto [found, fresh] =
        role_of.try_emplace({mesh.stage(rank), mesh.context_part(rank), rows}, next);
    if (fresh) roles.ranks.push_back(rank);
    roles.role_of.push_back(found->second);
  }
  return roles;
}

}  // namespace stepmark
