// SPDX-License-Identifier: Apache-2.0
// The two meshes over the ranks of a step, and the groups that parallel forms talk in. The dense
// mesh has the axes tp, cp, dp, pp, the first fastest: rank = tp + TP (cp + CP (dp + DP pp)).
// Experts are spread over the same ranks by the axes etp, ep, edp, pp: rank = etp + ETP (ep + EP
// (edp + EDP pp)), EDP being what is left, so that experts take no further ranks. Both have the
// same pipeline stages. (Megatron-LM core/parallel_state.py, whose default order this is.)
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/spec/mesh.h"
#include "harness/spec/plan.h"

namespace stepmark {

struct Degrees {
  std::int64_t tensor = 1, context = 1, data = 1, pipeline = 1;
  std::int64_t expert_tensor = 0;  // 0: as tensor
  std::int64_t expert = 1;
  std::int64_t shard = 0;  // of the ranks that hold the same parameters; 0: all
};

// Who talks to whom. gradients: of dense parameters, data x context, whose ranks hold the same ones
// and see different tokens; expert_gradients: the same of experts. tied_tables: first and last
// stage, which both hold an embedding that is the output head as well. model: all ranks that share
// one copy of the model. data_shard: neighbours among the ranks of `gradients` over which ZeRO
// spreads what it spreads; data_replicate: those of all shard groups that hold the same shard.
// expert_shard, expert_replicate: the same among those of `expert_gradients`, within the ranks of
// one shard group and of the tensor-parallel ranks beside it, and across.
enum class StepGroup : std::uint8_t {
  tensor,
  context,
  data,
  pipeline,
  gradients,
  expert_tensor,
  expert,
  expert_gradients,
  tied_tables,
  model,
  data_shard,
  data_replicate,
  expert_shard,
  expert_replicate
};

class StepMesh {
 public:
  // Error(kUsage) when the experts' degrees do not divide a stage's ranks, or those over which
  // state is spread.
  explicit StepMesh(const Degrees& degrees);
  explicit StepMesh(const Plan& plan);

  [[nodiscard]] std::int32_t size() const { return dense_.size(); }
  [[nodiscard]] const Mesh& dense() const { return dense_; }
  [[nodiscard]] const Mesh& expert() const { return expert_; }
  // This rank's group, in the order of its coordinates, and its name in programs ("tp", "dp_cp").
  [[nodiscard]] std::vector<std::int32_t> group(std::int32_t rank, StepGroup group) const;
  [[nodiscard]] static std::string name_of(StepGroup group);
  [[nodiscard]] std::int32_t size_of(StepGroup group) const;

  [[nodiscard]] std::int32_t first_rank_of(std::int32_t stage) const {
    return stage * (size() / stages());
  }
  // Which share of the global batch a rank sees; how many shares there are.
  [[nodiscard]] std::int32_t data_share(std::int32_t rank) const;
  [[nodiscard]] std::int32_t data_shares() const { return size_of(StepGroup::data); }
  // The ranks that hold the same parameters and see other tokens, which those of the data axis do,
  // and of the context axis.
  [[nodiscard]] StepGroup gradient_group() const {
    return context_ways() > 1 ? StepGroup::gradients : StepGroup::data;
  }
  // The group over which ZeRO shards: all of these ranks, or data_shard.
  [[nodiscard]] StepGroup shard_group() const {
    return shard_ < size_of(StepGroup::gradients) ? StepGroup::data_shard : gradient_group();
  }
  // The same of experts: all ranks that hold the same ones, or expert_shard.
  [[nodiscard]] StepGroup expert_shard_group() const {
    return shard_group() == StepGroup::data_shard ? StepGroup::expert_shard
                                                  : StepGroup::expert_gradients;
  }
  // Which part of each sequence a rank sees, of how many.
  [[nodiscard]] std::int32_t context_part(std::int32_t rank) const;
  [[nodiscard]] std::int32_t context_ways() const { return size_of(StepGroup::context); }
  // Which share of the experts a rank has, of how many.
  [[nodiscard]] std::int32_t expert_part(std::int32_t rank) const;
  [[nodiscard]] std::int32_t expert_ways() const { return size_of(StepGroup::expert); }
  // Whether one copy of all experts is on more ranks than those of a tensor-parallel group.
  [[nodiscard]] bool spreads_experts_beyond_tensor() const;
  // Which stage of the pipeline a rank is; how many there are.
  [[nodiscard]] std::int32_t stage(std::int32_t rank) const;
  [[nodiscard]] std::int32_t stages() const { return size_of(StepGroup::pipeline); }
  // Whether it computes the loss: the last stage does.
  [[nodiscard]] bool has_loss(std::int32_t rank) const { return stage(rank) + 1 == stages(); }

 private:
  // Ranks of a shard group of either kind.
  [[nodiscard]] std::int32_t shard_ways(bool expert) const;

  Mesh dense_, expert_;
  std::int32_t shard_ = 1;  // of dense parameters
};

// The axes that plans have today, tensor first: what programs and tables show.
[[nodiscard]] Mesh step_mesh(const Plan& plan);

}  // namespace stepmark
