// SPDX-License-Identifier: Apache-2.0
// Groups by name, in the order that all ranks make them in.
#include "harness/spec/step_groups.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "harness/spec/param_layout.h"

namespace stepmark {

StepGroups::StepGroups(const Model& model, const Plan& plan)
    : mesh_(plan), kv_copies_(static_cast<std::int32_t>(shards_of(model, plan, 0).kv_copies)) {
  for (StepGroup kind : {StepGroup::tensor, StepGroup::context, StepGroup::data}) {
    // The data axis is in the group that gradients are summed over.
    if (kind == StepGroup::data) kind = mesh_.gradient_group();
    if (mesh_.size_of(kind) > 1) add(kind, StepMesh::name_of(kind));
  }
  if (plan.spreads_experts()) add_experts();
  if (kv_copies_ > 1) add(StepGroup::tensor, kKeyValues);
  if (mesh_.shard_group() == StepGroup::data_shard) {
    for (const StepGroup kind : {StepGroup::data_shard, StepGroup::data_replicate}) {
      add(kind, StepMesh::name_of(kind));
    }
  }
  const std::int32_t stages = mesh_.stages();
  if (stages == 1) return;
  if (plan.p2p == StageMessages::batched) {
    add(StepGroup::pipeline, StepMesh::name_of(StepGroup::pipeline));
  } else {
    add_links(plan);
  }
  if (model.tied_embeddings) {
    add(StepGroup::tied_tables, StepMesh::name_of(StepGroup::tied_tables));
  }
  if (plan.computes_norm()) add(StepGroup::model, StepMesh::name_of(StepGroup::model));
}

void StepGroups::add_experts() {
  const auto add_any = [&](StepGroup kind) {
    if (mesh_.size_of(kind) > 1) add(kind, StepMesh::name_of(kind));
  };
  // Where experts are split as all else the tensor-parallel group is theirs.
  const bool splits_less =
      mesh_.size_of(StepGroup::expert_tensor) < mesh_.size_of(StepGroup::tensor);
  if (splits_less) add_any(StepGroup::expert_tensor);
  add_any(StepGroup::expert);
  const StepGroup shard = mesh_.expert_shard_group();
  if (shard == StepGroup::expert_gradients || mesh_.size_of(shard) == 1) {
    return add_any(StepGroup::expert_gradients);
  }
  add_any(shard);
  add_any(StepGroup::expert_replicate);
}

void StepGroups::add_links(const Plan& plan) {
  const std::int32_t stages = mesh_.stages();
  const bool ring = plan.chunks > 1;
  for (const Direction direction : {Direction::forward, Direction::backward}) {
    for (std::int32_t place = 0; place + (ring ? 0 : 1) < stages; ++place) {
      const std::string name = link_name(direction, place, stages);
      const bool known = std::find(names_.begin(), names_.end(), name) != names_.end();
      if (!known) add(StepGroup::pipeline, name);
    }
  }
}

void StepGroups::add(StepGroup kind, std::string name) {
  names_.push_back(std::move(name));
  kinds_.push_back(kind);
}

std::string StepGroups::link_name(Direction direction, std::int32_t place, std::int32_t stages) {
  const bool closes_odd_ring = place + 1 == stages && stages % 2 == 1;
  return fmt::format("{}.{}.{}", StepMesh::name_of(StepGroup::pipeline),
                     direction == Direction::forward ? "forward" : "backward",
                     closes_odd_ring ? "last" : (place % 2 == 0 ? "even" : "odd"));
}

std::vector<std::int32_t> StepGroups::group(const std::string& name, std::int32_t rank) const {
  const auto found = std::find(names_.begin(), names_.end(), name);
  STEPMARK_CHECK(found != names_.end(), "a step without a group '{}'", name);
  std::vector<std::int32_t> ranks =
      mesh_.group(rank, kinds_[static_cast<std::size_t>(found - names_.begin())]);
  if (name == kKeyValues) {
    const auto own = std::find(ranks.begin(), ranks.end(), rank) - ranks.begin();
    const auto first = ranks.begin() + own / kv_copies_ * kv_copies_;
    return {first, first + kv_copies_};
  }
  const bool takes_part = std::find(ranks.begin(), ranks.end(), rank) != ranks.end();
  return takes_part ? ranks : std::vector{rank};
}

std::vector<std::vector<std::int32_t>> StepGroups::all(const std::string& name) const {
  std::vector<std::vector<std::int32_t>> result;
  std::vector<bool> seen(static_cast<std::size_t>(mesh_.size()), false);
  for (std::int32_t rank = 0; rank < mesh_.size(); ++rank) {
    if (seen[static_cast<std::size_t>(rank)]) continue;
    result.push_back(group(name, rank));
    for (const std::int32_t member : result.back()) seen[static_cast<std::size_t>(member)] = true;
  }
  return result;
}

}  // namespace stepmark
