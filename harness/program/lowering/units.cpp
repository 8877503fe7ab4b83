// SPDX-License-Identifier: Apache-2.0
// ZeRO-2 and ZeRO-3 (FSDP): gradients, and parameters, of which a rank keeps its shard, and which
// are whole unit by unit (param_layout.h).
//
// Gradients of a unit are computed in a buffer that units of layers take in turns, two in all:
// while one is reduced, the next layer's are computed; the one after waits for the first to have
// left. So at most one reduce-scatter is in flight beside a backward pass (arXiv 2304.11277). It
// comes with every micro-batch; from the second on what arrives is added to the shard. With
// grad_sync=last each unit has a whole gradient of its own, to which micro-batches add, and the
// last one's backward pass reduces it.
//
// Parameters of a unit are gathered one use ahead: where a layer begins, the next one's are asked
// for, into the buffer that the layer before has left. With resharding each use gathers; without,
// the first of a step. With prefetch=off a gather waits for all that was computed before its layer,
// so that nothing is computed beside it, and one buffer does.
//
// Experts that other ranks hold than the rest of their layer (ep) are units of their own, sharded
// over the ranks that have the same ones, beside the layer's and in places of their own. Where no
// other rank has them there is nothing to shard: gradients and parameters lie whole where a shard
// would.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "harness/program/lowering/lowering.h"
#include "kernels/ops/memory.h"

namespace stepmark {
namespace {

bool is_layer(const ParamLayout::Bucket& unit) { return unit.unit.starts_with("layer"); }

}  // namespace

void Lowering::watch_units() {
  if (!layout_.shards_gradients()) return;
  units_.resize(layout_.buckets().size());
  for (const Param& param : layout_.params()) {
    const std::size_t index = layout_.bucket_of(param);
    units_[index].params.push_back(&param);
    ++units_of_[component_of(param)][index];
  }
  for (std::size_t i = 0; i < units_.size(); ++i) {
    units_[i].missing = std::ssize(units_[i].params);
    const ParamLayout::Bucket& unit = layout_.buckets()[i];
    UnitTurns& turns = turns_of(unit);
    turns.largest_shard = std::max(turns.largest_shard, unit.own.elements());
    if (is_layer(unit)) turns.largest_layer = std::max(turns.largest_layer, unit.elements());
  }
}

bool Lowering::holds_whole_experts() const {
  const auto& sections = layout_.sections();
  return layout_.shards_gradients() &&
         std::any_of(sections.begin(), sections.end(), [](const ParamSection& section) {
           return section.expert && section.state.ways == 1;
         });
}

// A whole unit: a place of its own, or one of two that layers take in turns.
BufferSlice Lowering::unit_buffer(const std::string& what, const ParamLayout::Bucket& unit,
                                  bool in_turns, std::int32_t& turn, DType dtype) {
  if (!in_turns) {
    return buffer(what + "." + unit.unit, BufferKind::workspace, dtype, unit.elements());
  }
  turn = 1 - turn;
  const BufferSlice whole =
      buffer(what + (is_of_experts(unit) ? ".experts" : "") + (turn == 0 ? ".even" : ".odd"),
             BufferKind::workspace, dtype, turns_of(unit).largest_layer);
  return ProgramBuilder::part(whole, 0, unit.elements());
}

BufferSlice Lowering::unit_gradient(const Param& param) {
  const std::size_t index = layout_.bucket_of(param);
  const ParamLayout::Bucket& bucket = layout_.buckets()[index];
  BufferSlice& whole = units_[index].gradient;
  if (!bucket.sharded()) {
    whole = own_gradient(bucket.own);
  } else if (whole.buffer < 0) {
    whole =
        reduces_every_pass()
            ? unit_buffer("grads", bucket, is_layer(bucket), turns_of(bucket).gradient, DType::f32)
            : buffer("grads." + bucket.unit, BufferKind::grad, DType::f32, bucket.elements());
    zero_gaps(index, whole);
  }
  return ProgramBuilder::part(whole, param.offset - bucket.begin, param.stored_elements());
}

// Of a parameter's gradient, what the backward pass writes: positions and table rows in use.
std::int64_t Lowering::written_elements(const Param& param) const {
  if (param.name == "position.weight") return plan_.seq * model_.hidden;
  if (param.name == "embedding.weight" && !stages_.back().last) {
    return shards_.vocab.count * model_.hidden;
  }
  const bool looked_up = param.name == "embedding.weight" && !model_.tied_embeddings;
  return looked_up ? shards_.vocab.count * model_.hidden : param.stored_elements();
}

// The memory of a unit's gradients held something else before, and what fills it up is reduced and
// updated with them.
void Lowering::zero_gaps(std::size_t index, BufferSlice whole) {
  const ParamLayout::Bucket& bucket = layout_.buckets()[index];
  const auto zero = [&](std::int64_t begin, std::int64_t end) {
    if (begin == end) return;
    builder_.kernel(fmt::format("grads.{}.fill", bucket.unit), kCompute,
                    pack(ZeroShape{.elements = end - begin}, DType::f32),
                    {ProgramBuilder::part(whole, begin - bucket.begin, end - begin)});
  };
  std::int64_t written = bucket.begin;
  for (const Param* param : units_[index].params) {
    zero(written, param->offset);
    written = param->offset + written_elements(*param);
  }
  zero(written, bucket.end);
}

void Lowering::unit_complete(const std::string& component) {
  const auto found = units_of_.find(component);
  if (found == units_of_.end()) return;
  for (const auto& [index, params] : found->second) {
    PendingUnit& unit = units_[index];
    unit.missing -= params;
    if (unit.missing > 0) continue;
    unit.missing = std::ssize(unit.params);
    builder_.set_phase(Phase::gradient_sync);
    reduce_unit(index);
    unit.gradient = {};
    builder_.set_phase(Phase::optimizer);
    const std::size_t range = buckets_[index].update;
    if (pass_.last && --updates_[range].missing == 0) range_final(range, false);
    builder_.set_phase(Phase::backward);
  }
}

// Up to the end of its last parameter. What fills up the unit's last section to whole shards is not
// the same on ranks whose shards of a vocabulary differ by a row.
std::int64_t Lowering::section_elements(std::size_t index, const ParamSection& section) const {
  std::int64_t end = section.offset;
  for (const Param* param : units_[index].params) {
    if (param->offset >= section.offset + section.elements) break;
    end = std::max(end, param->offset + param->stored_elements());
  }
  return end - section.offset;
}

void Lowering::reduce_unit(std::size_t index) {
  const ParamLayout::Bucket& bucket = layout_.buckets()[index];
  const std::string name = fmt::format("grads.{}", bucket.unit);
  const BufferSlice whole = units_[index].gradient;
  for (std::size_t s = bucket.section; s < bucket.sections_end; ++s) {
    const ParamSection& section = layout_.sections()[s];
    for (const GradientSum& sum : section.gradient_sums) {
      if (sum.scattered || !bucket.sharded()) break;
      const BufferSlice part = ProgramBuilder::part(whole, section.offset - bucket.begin,
                                                    section_elements(index, section));
      reduce(fmt::format("{}.{}", name, sum.axis), sum, part, part);
    }
  }
  const auto& sums = layout_.sections()[bucket.section].gradient_sums;
  const auto scatter =
      std::find_if(sums.begin(), sums.end(), [](const GradientSum& sum) { return sum.scattered; });
  if (scatter != sums.end()) scatter_unit(name, index, *scatter);
  if (!pass_.last) return;
  const BufferSlice own = own_gradient(bucket.own);
  for (auto sum = scatter == sums.end() ? sums.begin() : scatter + 1; sum != sums.end(); ++sum) {
    reduce(fmt::format("{}.{}", name, sum->axis), *sum, own, own);
  }
}

// Into the shard, or added to what other micro-batches have left there.
void Lowering::scatter_unit(const std::string& name, std::size_t index,
                            const GradientSum& scatter) {
  const ParamLayout::Bucket& bucket = layout_.buckets()[index];
  const BufferSlice own = own_gradient(bucket.own), whole = units_[index].gradient;
  if (!std::exchange(units_[index].reduced, true)) return reduce(name, scatter, whole, own);
  const BufferSlice arrived = ProgramBuilder::part(
      buffer(is_of_experts(bucket) ? "grads.experts.arrived" : "grads.arrived",
             BufferKind::workspace, DType::f32, turns_of(bucket).largest_shard),
      0, own.elements);
  reduce(name, scatter, whole, arrived);
  builder_.kernel(name + ".add", scatter.axis,
                  pack(TriadShape{.elements = own.elements, .s = 1.0}, DType::f32),
                  {own, arrived, own});
}

std::vector<std::size_t> Lowering::units_in_use(const std::string& part) const {
  std::vector<std::string> components{part, part + ".experts"};
  if (part == "embedding") components.emplace_back("position");
  if (part == "head") {
    components.emplace_back("final_norm");
    if (model_.tied_embeddings) components.emplace_back("embedding");
  }
  std::vector<std::size_t> units;
  for (const std::string& component : components) {
    const auto found = units_of_.find(component);
    if (found == units_of_.end()) continue;
    for (const auto& [index, params] : found->second) {
      if (std::find(units.begin(), units.end(), index) == units.end()) units.push_back(index);
    }
  }
  return units;
}

void Lowering::plan_gathers(std::span<const Pass> passes) {
  if (!layout_.shards_params()) return;
  std::vector<bool> gathered(units_.size(), false);
  const auto use = [&](const std::string& part, const std::vector<std::size_t>& held) {
    UnitUse next{.part = part, .gathers = {}};
    for (const std::size_t index : units_in_use(part)) {
      if (std::find(held.begin(), held.end(), index) != held.end()) continue;
      if (!layout_.buckets()[index].sharded()) continue;
      if (!plan_.reshard && gathered[index]) continue;
      gathered[index] = true;
      next.gathers.push_back(index);
    }
    uses_.push_back(std::move(next));
  };
  for (const Pass& pass : passes) {
    if (pass.forward && pass.stage.first) use("embedding", {});
    for (std::int64_t i = pass.stage.begin; pass.forward && i < pass.stage.end; ++i) {
      use(fmt::format("layer{}", i), {});
    }
    if (!pass.inputs) continue;
    // What the embedding has gathered on the same stage is not dropped before the head.
    const bool both = pass.stage.first && pass.stage.last;
    if (pass.stage.last) use("head", both ? units_in_use("embedding") : std::vector<std::size_t>());
    for (std::int64_t i = pass.stage.end; i-- > pass.stage.begin;) {
      use(fmt::format("layer{}", i), {});
    }
  }
}

void Lowering::enter(const std::string& part) {
  if (!layout_.shards_params()) return;
  UnitUse& use = uses_[next_use_++];
  STEPMARK_CHECK(use.part == part, "parameters of {} are asked for, planned were {}'s", part,
                 use.part);
  if (!plan_.prefetch && !use.gathers.empty()) builder_.wait_for(kCompute);
  gather_for(use);
  for (std::size_t i = 0; i < use.gathers.size(); ++i) {
    units_[use.gathers[i]].params_at = use.gathered[i];
  }
  if (!plan_.prefetch) return;
  const auto ahead = std::find_if(uses_.begin() + static_cast<std::ptrdiff_t>(next_use_),
                                  uses_.end(), [](const UnitUse& u) { return !u.gathers.empty(); });
  if (ahead != uses_.end()) gather_for(*ahead);
}

void Lowering::gather_for(UnitUse& use) {
  if (!use.gathered.empty()) return;
  for (const std::size_t index : use.gathers) {
    const ParamLayout::Bucket& unit = layout_.buckets()[index];
    std::int32_t& turn = turns_of(unit).gather;
    if (!plan_.prefetch) turn = 1;
    use.gathered.push_back(
        unit_buffer("params", unit, plan_.reshard && is_layer(unit), turn, plan_.precision));
    gather_params("params." + unit.unit, unit, use.gathered.back());
  }
}

BufferSlice Lowering::unit_param(const Param& param) const {
  const std::size_t index = layout_.bucket_of(param);
  const ParamLayout::Bucket& unit = layout_.buckets()[index];
  return ProgramBuilder::part(unit.sharded() ? units_[index].params_at : own_param(unit.own),
                              param.offset - unit.begin, param.stored_elements());
}

}  // namespace stepmark
