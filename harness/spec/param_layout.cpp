// SPDX-License-Identifier: Apache-2.0
// Parameters are declared in the order in which their gradients become final, then sorted by
// section, so that each section, and each bucket of it, is one range. Their values are in
// param_values.cpp.
#include "harness/spec/param_layout.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/units.h"
#include "harness/spec/stages.h"
#include "harness/spec/step_mesh.h"

namespace stepmark {
namespace {

constexpr std::int64_t kAlignment = 16;  // elements: one cache line of fp32

// Ranks that hold each key/value head.
std::int64_t kv_copies(const Model& model, std::int64_t tp) {
  return std::max<std::int64_t>(1, tp / model.kv_heads);
}

// Declares the parameters of one rank; `tp` and `r` are degree and rank of the tensor axis.
class Declaration {
 public:
  Declaration(const Model& model, const Plan& plan, std::int32_t rank, const DeviceTraits& traits)
      : model_(model),
        tp_(plan.tp),
        r_(rank % plan.tp),
        etp_(plan.expert_tensor()),
        shards_(shards_of(model, plan, rank, traits)),
        splits_tokens_(plan.sequence_parallel),
        spreads_experts_(plan.spreads_experts()),
        traits_(traits) {}

  std::vector<Param> run(const std::vector<ModelStage>& stages) {
    for (auto stage = stages.rbegin(); stage != stages.rend(); ++stage) {
      if (stage->last) head(/*has_embedding=*/stage->first);
      for (std::int64_t layer = stage->end; layer-- > stage->begin;) block(layer);
      if (stage->first) embedding(/*has_head=*/stage->last);
    }
    return std::move(params_);
  }

 private:
  void add(Param param) {
    param.decay = param.global_rows > 1 && param.global_cols > 1;
    if (param.replicated && splits_tokens_) param.summed = true;
    if (!param.replicated && !param.expert && tp_ > 1) {
      param.split_over = {StepMesh::name_of(StepGroup::tensor)};
    }
    params_.push_back(std::move(param));
  }
  // A vector that every tensor-parallel rank holds whole.
  void replicated_vector(const std::string& name, std::uint64_t id, ParamInit init) {
    add(whole_vector(name, id, model_.hidden, init));
  }
  // The same of a head: its gradient on a rank comes from the rank's own heads.
  void head_vector(const std::string& name, std::uint64_t id) {
    Param param = whole_vector(name, id, model_.head_dim, ParamInit::ones);
    param.summed = tp_ > 1;
    add(std::move(param));
  }
  static Param whole_vector(const std::string& name, std::uint64_t id, std::int64_t width,
                            ParamInit init) {
    return {.name = name,
            .global_rows = 1,
            .global_cols = width,
            .rows = {{0, 1}},
            .cols = width,
            .init = init,
            .replicated = true,
            .id = id};
  }
  // A part of a fused matrix, each row of which is on `copies` neighbouring ranks.
  struct PartRows {
    std::int64_t rows = 0;
    std::int64_t copies = 1;
  };
  // Output rows split over the group: rows of each part of the fused matrix that belong to this
  // rank, each part padded to a multiple.
  void column_parallel(const std::string& name, std::uint64_t id,
                       const std::vector<PartRows>& parts, std::int64_t cols,
                       std::int64_t multiple) {
    Param param{.name = name, .global_cols = cols, .cols = cols, .id = id};
    for (const PartRows& part : parts) {
      const std::int64_t count = part.rows * part.copies / tp_;
      param.rows.push_back({.begin = param.global_rows + r_ / part.copies * count,
                            .count = count,
                            .padding = padded(count, multiple) - count,
                            .copies = part.copies});
      param.global_rows += part.rows;
    }
    add(std::move(param));
  }
  // Input columns split over the group, padded to a multiple.
  void row_parallel(const std::string& name, std::uint64_t id, std::int64_t rows, std::int64_t cols,
                    std::int64_t multiple) {
    const std::int64_t count = cols / tp_;
    add({.name = name,
         .global_rows = rows,
         .global_cols = cols,
         .rows = {{0, rows}},
         .col_begin = r_ * count,
         .cols = count,
         .padding_cols = padded(count, multiple) - count,
         .init = ParamInit::residual_normal,
         .id = id});
  }
  // Matrices of this rank's experts, one behind the other. Of each those of a gated MLP: rows of
  // the gate and then of the other half, or columns, split over the ranks that share an expert.
  void expert_matrix(Param param) {
    param.expert = spreads_experts_;
    if (etp_ > 1) param.split_over.push_back(StepMesh::name_of(StepGroup::expert_tensor));
    if (shards_.experts < model_.experts) {
      param.split_over.push_back(StepMesh::name_of(StepGroup::expert));
    }
    add(std::move(param));
  }
  void experts(const std::string& prefix, std::uint64_t id) {
    const std::int64_t multiple = traits_.dimension_multiple, ffn = shards_.ffn;
    const std::int64_t part = r_ % etp_, padding = padded(ffn, multiple) - ffn;
    expert_matrix(
        {.name = prefix + "experts.down.weight",
         .global_rows = model_.experts * model_.hidden,
         .global_cols = model_.ffn,
         .rows = {{shards_.first_expert * model_.hidden, shards_.experts * model_.hidden}},
         .col_begin = part * ffn,
         .cols = ffn,
         .padding_cols = padding,
         .init = ParamInit::residual_normal,
         .id = id});
    Param up{.name = prefix + "experts.up.weight",
             .global_rows = model_.experts * 2 * model_.ffn,
             .global_cols = model_.hidden,
             .cols = model_.hidden,
             .id = id + 1};
    for (std::int64_t i = 0; i < 2 * shards_.experts; ++i) {
      up.rows.push_back({.begin = (2 * shards_.first_expert + i) * model_.ffn + part * ffn,
                         .count = ffn,
                         .padding = padding});
    }
    expert_matrix(std::move(up));
    if (model_.shared_ffn > 0) {
      row_parallel(prefix + "shared.down.weight", id + 2, model_.hidden, model_.shared_ffn,
                   multiple);
      column_parallel(prefix + "shared.up.weight", id + 3,
                      std::vector<PartRows>(2, {.rows = model_.shared_ffn}), model_.hidden,
                      multiple);
    }
    // Each tensor-parallel rank knows its part of what experts give, or its own tokens.
    add({.name = prefix + "router.weight",
         .global_rows = model_.experts,
         .global_cols = model_.hidden,
         .rows = {{0, model_.experts}},
         .cols = model_.hidden,
         .replicated = true,
         .summed = tp_ > 1,
         .id = id + 4});
  }
  // A table that is only looked up needs no padding.
  void vocab_table(const std::string& name, std::uint64_t id, bool in_product, bool tied = false) {
    add({.name = name,
         .global_rows = model_.vocab,
         .global_cols = model_.hidden,
         .rows = {vocab_shard(model_.vocab, tp_, r_, in_product ? traits_ : DeviceTraits{})},
         .cols = model_.hidden,
         .tied = tied,
         .id = id});
  }

  void norm(const std::string& name, std::uint64_t id) {
    replicated_vector(name + ".weight", id, ParamInit::ones);
    if (model_.has_bias()) replicated_vector(name + ".bias", id + 1, ParamInit::normal);
  }

  // Of a model whose tables are tied, a stage without the embedding has a table of its own as head.
  void head(bool has_embedding) {
    if (!model_.tied_embeddings) {
      vocab_table("head.weight", 2, true);
    } else if (!has_embedding) {
      vocab_table("embedding.weight", 0, true, true);
    }
    norm("final_norm", 4);
  }

  void block(std::int64_t layer) {
    const std::string prefix = fmt::format("layer{}.", layer);
    const std::uint64_t id = 100 * (static_cast<std::uint64_t>(layer) + 1);
    const std::vector<PartRows> mlp_parts(model_.family == ModelFamily::llama ? 2 : 1,
                                          {.rows = model_.ffn});
    const PartRows kv{.rows = model_.kv_heads * model_.head_dim, .copies = kv_copies(model_, tp_)};
    const std::vector<PartRows> qkv_parts{{.rows = model_.q_width()}, kv, kv};
    const std::int64_t multiple = traits_.dimension_multiple;
    if (model_.experts > 0) {
      experts(prefix, id + 20);
    } else {
      row_parallel(prefix + "mlp.down.weight", id + 1, model_.hidden, model_.ffn, multiple);
      if (model_.has_bias()) replicated_vector(prefix + "mlp.down.bias", id + 2, ParamInit::normal);
      column_parallel(prefix + "mlp.up.weight", id + 3, mlp_parts, model_.hidden, multiple);
      if (model_.has_bias()) {
        column_parallel(prefix + "mlp.up.bias", id + 4, mlp_parts, 1, multiple);
      }
    }
    norm(prefix + "mlp_norm", id + 5);
    row_parallel(prefix + "attn.out.weight", id + 7, model_.hidden, model_.q_width(), 1);
    if (model_.has_bias()) replicated_vector(prefix + "attn.out.bias", id + 8, ParamInit::normal);
    if (model_.qk_norm) {
      head_vector(prefix + "attn.q_norm.weight", id + 13);
      head_vector(prefix + "attn.k_norm.weight", id + 14);
    }
    column_parallel(prefix + "attn.qkv.weight", id + 9, qkv_parts, model_.hidden, 1);
    if (model_.has_bias()) column_parallel(prefix + "attn.qkv.bias", id + 10, qkv_parts, 1, 1);
    norm(prefix + "attn_norm", id + 11);
  }

  void embedding(bool has_head) {
    if (model_.family == ModelFamily::gpt2) {
      add({.name = "position.weight",
           .global_rows = model_.max_seq,
           .global_cols = model_.hidden,
           .rows = {{0, model_.max_seq}},
           .cols = model_.hidden,
           .replicated = true,
           .id = 1});
    }
    vocab_table("embedding.weight", 0, model_.tied_embeddings, model_.tied_embeddings && !has_head);
  }

  const Model& model_;
  std::int64_t tp_;
  std::int64_t r_;
  std::int64_t etp_;
  Shards shards_;
  bool splits_tokens_, spreads_experts_;
  DeviceTraits traits_;
  std::vector<Param> params_;
};

}  // namespace

std::int64_t Param::local_rows() const {
  std::int64_t count = 0;
  for (const RowRange& range : rows) count += range.count;
  return count;
}

std::int64_t Param::stored_rows() const {
  std::int64_t count = local_rows();
  for (const RowRange& range : rows) count += range.padding;
  return count;
}

std::int64_t Param::shared_elements() const {
  std::int64_t count = 0;
  for (const RowRange& range : rows) {
    if (range.copies > 1) count += range.count + range.padding;
  }
  return count * stored_cols();
}

RowRange vocab_shard(std::int64_t vocab, std::int64_t tp, std::int64_t tp_rank,
                     const DeviceTraits& traits) {
  const std::int64_t least = vocab / tp, larger = vocab % tp;
  const std::int64_t count = least + (tp_rank < larger ? 1 : 0);
  return {.begin = tp_rank * least + std::min(tp_rank, larger),
          .count = count,
          .padding = padded(count, traits.dimension_multiple) - count};
}

Shards shards_of(const Model& model, const Plan& plan, std::int32_t rank,
                 const DeviceTraits& traits) {
  const auto index = static_cast<std::int32_t>(rank % plan.tp);  // the fastest axis
  const std::int64_t split = model.experts > 0 ? plan.expert_tensor() : plan.tp;
  const std::int64_t experts = model.experts / plan.ep;
  return {.ways = static_cast<std::int32_t>(plan.tp),
          .index = index,
          .heads = model.heads / plan.tp,
          .kv_heads = model.kv_heads * kv_copies(model, plan.tp) / plan.tp,
          .kv_copies = kv_copies(model, plan.tp),
          .ffn = model.ffn / split,
          .shared_ffn = model.shared_ffn / plan.tp,
          .experts = experts,
          .first_expert = rank / split % plan.ep * experts,
          .vocab = vocab_shard(model.vocab, plan.tp, index, traits)};
}

namespace {

// ZeRO spreads state over the ranks that have the same parameters and see other sequences: of
// experts fewer than of what is dense.
StateSharding state_sharding(const Plan& plan, const StepMesh& mesh, std::int32_t rank,
                             bool expert) {
  if (plan.zero == 0 || (expert && plan.shard_ways() == 1)) return {};
  const StepGroup kind = expert ? mesh.expert_shard_group() : mesh.shard_group();
  const std::vector<std::int32_t> ranks = mesh.group(rank, kind);
  const auto own = std::find(ranks.begin(), ranks.end(), rank);
  return {.axis = StepMesh::name_of(kind),
          .ways = static_cast<std::int32_t>(ranks.size()),
          .index = static_cast<std::int32_t>(own - ranks.begin())};
}

// Those of the batch come last, of what is complete but for them, or where a rank keeps its shard
// alone before what is of the shard.
std::vector<GradientSum> gradient_sums(const Plan& plan, const StepMesh& mesh, const Param& param,
                                       const StateSharding& state) {
  std::vector<GradientSum> sums;
  // Of whole gradients although only a shard is needed: after the scatter this axis would wait for
  // the other one, and the backward pass for this axis.
  if (param.summed) {
    sums.push_back({.axis = StepMesh::name_of(StepGroup::tensor), .of_batch = false});
  }
  const GradientSum tables{.axis = StepMesh::name_of(StepGroup::tied_tables), .of_batch = false};
  // Once per step: first and last stage see a micro-batch at different times. Their shards are
  // alike, as the table is a unit of its own.
  const bool tables_last = plan.shards_gradients();
  if (param.tied && !tables_last) sums.push_back(tables);
  const StepGroup whole = param.expert ? StepGroup::expert_gradients : mesh.gradient_group();
  if (state.ways > 1) {
    sums.push_back({.axis = state.axis, .scattered = true, .shard = state.index});
    if (mesh.shard_group() == StepGroup::data_shard) {
      sums.push_back({.axis = StepMesh::name_of(param.expert ? StepGroup::expert_replicate
                                                             : StepGroup::data_replicate)});
    }
  } else if (mesh.size_of(whole) > 1) {
    sums.push_back({.axis = StepMesh::name_of(whole)});
  }
  if (param.tied && tables_last) sums.push_back(tables);
  return sums;
}

std::int64_t elements_of_bucket(const Plan& plan) {
  return static_cast<std::int64_t>(plan.bucket_mib * static_cast<double>(kMiB)) /
         static_cast<std::int64_t>(sizeof(float));
}

std::string_view component_of(std::string_view param) { return param.substr(0, param.find('.')); }

// What is gathered and reduced at a time. A table that two stages hold is alone, so that its shards
// are the same on both; where one stage has a tied table, what uses it at the end goes with it.
// Experts that other ranks hold than the rest of their layer are sharded over others.
std::string unit_of(const Param& param, bool table_is_head) {
  if (param.tied) return "table";
  const std::string_view component = component_of(param.name);
  if (param.expert) return fmt::format("{}.experts", component);
  if (component.starts_with("layer")) return std::string(component);
  const bool at_end = component == "head" || component == "final_norm";
  return at_end && !table_is_head ? "head" : "embedding";
}

// ParamSection::copies. Where state is sharded the squares are summed over all ranks of a stage.
std::int32_t copies_of(const Param& param, const StepMesh& mesh, bool sharded) {
  const std::int32_t tensor = mesh.size_of(StepGroup::tensor);
  const std::int32_t split = mesh.size_of(StepGroup::expert_tensor);
  const bool beyond = mesh.spreads_experts_beyond_tensor() && !sharded;
  if (param.expert && sharded) return 1;
  if (param.expert) return tensor / (beyond ? split : split * mesh.expert_ways());
  const std::int32_t tables = param.tied ? mesh.size_of(StepGroup::tied_tables) : 1;
  return tables * (param.replicated ? tensor : 1) * (beyond ? mesh.expert_ways() : 1);
}

int section_key(const Param& p) {
  return (p.tied ? 16 : 0) + (p.expert ? 8 : 0) + (p.summed ? 4 : 0) + (p.replicated ? 2 : 0) +
         (p.decay ? 0 : 1);
}

}  // namespace

ParamLayout::ParamLayout(const Model& model, const Plan& plan, std::int32_t rank,
                         const DeviceTraits& traits)
    : shards_gradients_(plan.shards_gradients()), shards_params_(plan.shards_parameters()) {
  const StepMesh mesh(plan);
  state_ = state_sharding(plan, mesh, rank, /*expert=*/false);
  std::vector<Param> declared =
      Declaration(model, plan, rank, traits).run(model_stages(model, plan, mesh.stage(rank)));
  const bool table_is_head = model.tied_embeddings && mesh.stages() == 1;
  // By unit, in the order in which the last of its gradients completes.
  std::unordered_map<std::string, std::size_t> completes;
  const auto unit = [&](const Param& p) {
    return shards_gradients_ ? unit_of(p, table_is_head) : std::string();
  };
  for (std::size_t i = 0; i < declared.size(); ++i) completes[unit(declared[i])] = i;
  std::stable_sort(declared.begin(), declared.end(), [&](const Param& a, const Param& b) {
    return std::pair(completes.at(unit(a)), section_key(a)) <
           std::pair(completes.at(unit(b)), section_key(b));
  });
  const std::int64_t full = elements_of_bucket(plan);
  std::string current;
  for (Param& param : declared) {
    const std::string next = unit(param);
    const bool first = sections_.empty();
    if (!first && next != current) close_bucket(current);
    if (first || next != current || sections_.back().replicated != param.replicated ||
        sections_.back().summed != param.summed || sections_.back().expert != param.expert ||
        sections_.back().tied != param.tied || sections_.back().decay != param.decay) {
      if (!shards_gradients_) close_bucket();
      const StateSharding state =
          param.expert ? state_sharding(plan, mesh, rank, /*expert=*/true) : state_;
      sections_.push_back({.replicated = param.replicated,
                           .summed = param.summed,
                           .expert = param.expert,
                           .tied = param.tied,
                           .decay = param.decay,
                           .copies = copies_of(param, mesh, state_.ways > 1),
                           .gradient_sums = gradient_sums(plan, mesh, param, state),
                           .state = state,
                           .offset = elements_});
    }
    current = next;
    param.offset = elements_;
    elements_ += padded(param.stored_elements(), kAlignment);
    sections_.back().elements = elements_ - sections_.back().offset;
    if (const std::int64_t shared = param.shared_elements(); shared > 0) {
      const std::int64_t end = param.offset + param.stored_elements();
      shared_.push_back({.begin = end - shared, .end = end, .copies = param.copies()});
    }
    index_.emplace(param.name, params_.size());
    params_.push_back(std::move(param));
    const bool is_full = elements_ - (buckets_.empty() ? 0 : buckets_.back().end) >= full;
    if (is_full && !shards_gradients_) close_bucket();
  }
  close_bucket(current);
}

void ParamLayout::close_bucket(std::string unit) {
  const std::int64_t begin = buckets_.empty() ? 0 : buckets_.back().end;
  if (elements_ == begin) return;
  const StateSharding& state = sections_.back().state;  // the same of all sections of a unit
  const std::int64_t shard = padded(elements_ - begin, state.ways * kAlignment) / state.ways;
  elements_ = begin + state.ways * shard;
  sections_.back().elements = elements_ - sections_.back().offset;
  const std::int64_t own = begin + state.index * shard;
  std::size_t first = sections_.size() - 1;
  while (sections_[first].offset > begin) --first;
  buckets_.push_back({.begin = begin,
                      .end = elements_,
                      .section = first,
                      .sections_end = sections_.size(),
                      .own = {.begin = own, .end = own + shard, .state = state_elements_},
                      .unit = std::move(unit)});
  state_elements_ += shard;
}

std::vector<ParamLayout::Part> ParamLayout::parts_of(std::int64_t begin, std::int64_t end) const {
  std::vector<Part> parts;
  const auto add = [&](std::int64_t from, std::int64_t to, std::int64_t copies) {
    if (from < to) parts.push_back({.begin = from, .end = to, .copies = copies});
  };
  auto next = std::upper_bound(shared_.begin(), shared_.end(), begin,
                               [](std::int64_t at, const Part& part) { return at < part.end; });
  for (; next != shared_.end() && next->begin < end; ++next) {
    add(begin, next->begin, 1);
    add(std::max(begin, next->begin), std::min(end, next->end), next->copies);
    begin = next->end;
  }
  add(begin, end, 1);
  return parts;
}

std::size_t ParamLayout::bucket_of(const Param& param) const {
  const auto next =
      std::upper_bound(buckets_.begin(), buckets_.end(), param.offset,
                       [](std::int64_t offset, const Bucket& b) { return offset < b.begin; });
  return static_cast<std::size_t>(next - buckets_.begin()) - 1;
}

std::vector<std::size_t> ParamLayout::units_of(std::string_view component) const {
  std::vector<std::size_t> units;
  for (const Param& param : params_) {
    if (component_of(param.name) != component) continue;
    const std::size_t bucket = bucket_of(param);
    if (std::find(units.begin(), units.end(), bucket) == units.end()) units.push_back(bucket);
  }
  std::sort(units.begin(), units.end());
  return units;
}

const Param& ParamLayout::find(const std::string& name) const {
  const auto found = index_.find(name);
  STEPMARK_REQUIRE(found != index_.end(), "there is no parameter '{}'", name);
  return params_[found->second];
}

ParamLayout::Range ParamLayout::owned(std::int64_t begin, std::int64_t end) const {
  const auto next =
      std::upper_bound(buckets_.begin(), buckets_.end(), begin,
                       [](std::int64_t offset, const Bucket& b) { return offset < b.begin; });
  const Range& own = std::prev(next)->own;
  const std::int64_t from = std::max(own.begin, begin);
  return {.begin = from,
          .end = std::max(from, std::min(own.end, end)),
          .state = own.state + from - own.begin};
}

}  // namespace stepmark
