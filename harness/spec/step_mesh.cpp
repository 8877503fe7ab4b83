// SPDX-License-Identifier: Apache-2.0
// Each kind of group is a list of axes on one of the two meshes; sizes and names of groups follow
// from it. The last stage alone has the loss.
#include "harness/spec/step_mesh.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "core/error.h"

namespace stepmark {
namespace {

MeshAxis axis(const char* name, std::int64_t degree) {
  return {.name = name, .degree = static_cast<std::int32_t>(degree)};
}

Mesh expert_mesh(const Degrees& degrees) {
  const std::int64_t tensor = degrees.expert_tensor > 0 ? degrees.expert_tensor : degrees.tensor;
  const std::int64_t stage = degrees.tensor * degrees.context * degrees.data;
  STEPMARK_REQUIRE(stage % (tensor * degrees.expert) == 0,
                   "etp={} x ep={} does not divide the {} ranks of a stage", tensor, degrees.expert,
                   stage);
  return Mesh({axis("etp", tensor), axis("ep", degrees.expert),
               axis("edp", stage / (tensor * degrees.expert)), axis("pp", degrees.pipeline)});
}

// Axes of a group, the fastest first, and whether they are the experts'.
struct Axes {
  std::vector<std::string_view> names;
  bool expert = false;
};

Axes axes_of(StepGroup group) {
  switch (group) {
    case StepGroup::tensor:
      return {.names = {"tp"}};
    case StepGroup::context:
      return {.names = {"cp"}};
    case StepGroup::data:
      return {.names = {"dp"}};
    case StepGroup::pipeline:
    case StepGroup::tied_tables:
      return {.names = {"pp"}};
    case StepGroup::gradients:
    case StepGroup::data_shard:
    case StepGroup::data_replicate:
      return {.names = {"cp", "dp"}};
    case StepGroup::model:
      return {.names = {"tp", "pp"}};
    case StepGroup::expert_tensor:
      return {.names = {"etp"}, .expert = true};
    case StepGroup::expert:
      return {.names = {"ep"}, .expert = true};
    case StepGroup::expert_gradients:
    case StepGroup::expert_shard:
    case StepGroup::expert_replicate:
      return {.names = {"edp"}, .expert = true};
  }
  return {};
}

}  // namespace

StepMesh::StepMesh(const Degrees& degrees)
    : dense_({axis("tp", degrees.tensor), axis("cp", degrees.context), axis("dp", degrees.data),
              axis("pp", degrees.pipeline)}),
      expert_(expert_mesh(degrees)),
      shard_(static_cast<std::int32_t>(degrees.shard > 0 ? degrees.shard
                                                         : degrees.data * degrees.context)) {
  STEPMARK_REQUIRE(degrees.data * degrees.context % shard_ == 0,
                   "shard={} does not divide dp={} x cp={}", shard_, degrees.data, degrees.context);
  const std::int32_t copy = size_of(StepGroup::expert) * size_of(StepGroup::expert_tensor);
  STEPMARK_REQUIRE(
      shard_group() != StepGroup::data_shard || size_of(StepGroup::tensor) * shard_ % copy == 0,
      "etp x ep = {} does not divide tp={} x shard={}", copy, size_of(StepGroup::tensor), shard_);
}

StepMesh::StepMesh(const Plan& plan)
    : StepMesh(Degrees{.tensor = plan.tp,
                       .context = plan.cp,
                       .data = std::max<std::int64_t>(1, plan.dp),
                       .pipeline = plan.pp,
                       .expert_tensor = plan.etp,
                       .expert = plan.ep,
                       .shard = plan.shard}) {}

std::vector<std::int32_t> StepMesh::group(std::int32_t rank, StepGroup group) const {
  const Axes axes = axes_of(group);
  std::vector<std::int32_t> ranks = (axes.expert ? expert_ : dense_).group(rank, axes.names);
  if (group == StepGroup::tied_tables && ranks.size() > 2) ranks = {ranks.front(), ranks.back()};
  const bool neighbours = group == StepGroup::data_shard || group == StepGroup::expert_shard;
  if (!neighbours && group != StepGroup::data_replicate && group != StepGroup::expert_replicate) {
    return ranks;
  }
  // Neighbours shard, and every ways-th rank has the same shard.
  const std::int32_t ways = shard_ways(axes.expert);
  const auto own = std::find(ranks.begin(), ranks.end(), rank) - ranks.begin();
  std::vector<std::int32_t> part;
  for (std::int32_t i = 0; i < std::ssize(ranks); ++i) {
    const bool belongs = neighbours ? i / ways == own / ways : i % ways == own % ways;
    if (belongs) part.push_back(ranks[static_cast<std::size_t>(i)]);
  }
  return part;
}

std::string StepMesh::name_of(StepGroup group) {
  if (group == StepGroup::tied_tables) return "embedding";
  if (group == StepGroup::data_shard) return "dp.shard";
  if (group == StepGroup::data_replicate) return "dp.replicate";
  if (group == StepGroup::expert_shard) return "edp.shard";
  if (group == StepGroup::expert_replicate) return "edp.replicate";
  const Axes axes = axes_of(group);
  std::string name;
  for (auto each = axes.names.rbegin(); each != axes.names.rend(); ++each) {
    if (!name.empty()) name += '_';
    name += *each;
  }
  return name;
}

std::int32_t StepMesh::size_of(StepGroup group) const {
  const Axes axes = axes_of(group);
  std::int32_t size = 1;
  for (const std::string_view name : axes.names) {
    size *= (axes.expert ? expert_ : dense_).degree(name);
  }
  switch (group) {
    case StepGroup::tied_tables:
      return std::min(size, 2);
    case StepGroup::data_shard:
    case StepGroup::expert_shard:
      return shard_ways(axes.expert);
    case StepGroup::data_replicate:
    case StepGroup::expert_replicate:
      return size / shard_ways(axes.expert);
    default:
      return size;
  }
}

std::int32_t StepMesh::shard_ways(bool expert) const {
  if (!expert) return shard_;
  return size_of(StepGroup::tensor) * shard_ /
         (size_of(StepGroup::expert_tensor) * size_of(StepGroup::expert));
}

std::int32_t StepMesh::data_share(std::int32_t rank) const { return dense_.coordinate(rank, "dp"); }

std::int32_t StepMesh::context_part(std::int32_t rank) const {
  return dense_.coordinate(rank, "cp");
}

std::int32_t StepMesh::expert_part(std::int32_t rank) const {
  return expert_.coordinate(rank, "ep");
}

bool StepMesh::spreads_experts_beyond_tensor() const {
  return size_of(StepGroup::expert) * size_of(StepGroup::expert_tensor) >
         size_of(StepGroup::tensor);
}

std::int32_t StepMesh::stage(std::int32_t rank) const { return dense_.coordinate(rank, "pp"); }

Mesh step_mesh(const Plan& plan) {
  return Mesh({axis("tp", plan.tp), axis("cp", plan.cp),
               axis("dp", std::max<std::int64_t>(1, plan.dp)), axis("pp", plan.pp)});
}

}  // namespace stepmark
