// SPDX-License-Identifier: Apache-2.0
// Ranks are told apart by the rows of their vocabulary shard, the one size in which ranks of a step
// may differ, and by their part of the sequences, which says whom they talk to; where a seed routes
// tokens to experts, also by what of both they have.
#include "harness/program/step_roles.h"

#include <map>
#include <tuple>

#include "harness/program/routed_rows.h"
#include "harness/program/step.h"
#include "harness/spec/param_layout.h"
#include "harness/spec/stages.h"
#include "harness/spec/step_mesh.h"

namespace stepmark {

StepRoles step_roles(const Model& model, const Plan& plan) {
  const StepMesh mesh(plan);
  StepRoles roles;
  // Where a seed routes, ranks send and receive as many rows as their tokens and experts make them.
  const bool seeded = plan.routes_by_seed();
  using Key = std::tuple<std::int32_t, std::int32_t, std::int64_t, std::int32_t, std::int32_t>;
  std::map<Key, std::int32_t> role_of;
  for (std::int32_t rank = 0; rank < mesh.size(); ++rank) {
    const Shards shards = shards_of(model, plan, rank);
    const auto next = static_cast<std::int32_t>(roles.ranks.size());
    const auto [found, fresh] =
        role_of.try_emplace({mesh.stage(rank), mesh.context_part(rank), shards.vocab.count,
                             seeded ? mesh.expert_part(rank) : 0, seeded ? shards.index : 0},
                            next);
    if (fresh) roles.ranks.push_back(rank);
    roles.role_of.push_back(found->second);
  }
  return roles;
}

std::vector<std::int32_t> largest_ranks(const Model& model, const Plan& plan, std::int32_t stage) {
  const std::int32_t first = StepMesh(plan).first_rank_of(stage);
  if (!plan.routes_by_seed()) return {first};
  RoutedRows rows(model);
  const RoutedRows::Most most = rows.most(plan, model_stages(model, plan, stage));
  if (most.keeper == most.keeper_of_layer) return {first + most.keeper};
  return {first + most.keeper, first + most.keeper_of_layer};
}

}  // namespace stepmark
