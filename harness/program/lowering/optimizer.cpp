// SPDX-License-Identifier: Apache-2.0
// Gradient synchronisation over the data-parallel group by buckets, global norm and clip, AdamW.
//
// The optimizer works on ranges of the flat buffers. In the overlapped form what can be done for a
// range is issued as soon as its gradients are final, on a stream of low priority beside the rest
// of the backward pass: its part of the norm and, where nothing is clipped, its update. Ranges that
// become final when the backward pass ends, and all updates that wait for the norm, go to the
// compute stream, which has nothing else left to do. Both forms add the same parts of the norm in
// the same order and AdamW treats each element by itself, so that they agree bit for bit.
#include "kernels/ops/optimizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "harness/program/lowering/lowering.h"

namespace stepmark {
namespace {

// A range has at least this share of the parameters: what is left when the backward pass ends is
// small, and so is what starting a kernel per range costs.
constexpr std::int64_t kRangesOfModel = 16;
// Of the parameters: what is smaller (all biases and weights of norms together) is not worth a
// stream of its own and waits for the end of the backward pass.
constexpr std::int64_t kSmallestPart = 64;

}  // namespace

void Lowering::watch_gradients() {
  const auto& buckets = layout_.buckets();
  buckets_.resize(buckets.size());
  std::size_t bucket = 0;
  for (const Param& param : layout_.params()) {
    while (param.offset >= buckets[bucket].end) ++bucket;
    ++buckets_[bucket].missing;
    incomplete_[component_of(param)].push_back(bucket);
  }
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    const bool open = !updates_.empty() &&
                      (layout_.shards_gradients() ||
                       buckets[updates_.back().begin].section == buckets[i].section) &&
                      updates_.back().elements < layout_.elements() / kRangesOfModel;
    if (!open) updates_.push_back({.begin = i});
    for (const GradientSum& sum : layout_.sections()[buckets[i].section].gradient_sums) {
      std::int64_t& largest = largest_sum_[sum.axis];
      largest = std::max(largest, buckets[i].elements());
    }
    updates_.back().end = i + 1;
    updates_.back().elements += buckets[i].end - buckets[i].begin;
    ++updates_.back().missing;
    buckets_[i].update = updates_.size() - 1;
  }
}

void Lowering::declare_optimizer_buffers() {
  moment1_ = buffer("moment1", BufferKind::optimizer, DType::f32, layout_.state_elements());
  moment2_ = buffer("moment2", BufferKind::optimizer, DType::f32, layout_.state_elements());
  step_count_ = buffer("step", BufferKind::scalar, DType::f32, 1);
  if (!plan_.computes_norm()) return;
  square_sum_ = buffer("norm_sum", BufferKind::scalar, DType::f32, 1);
  norm_and_scale_ = buffer(kNormBuffer, BufferKind::scalar, DType::f32, 2);
}

void Lowering::gradients_complete(const std::string& component) {
  if (layout_.shards_gradients()) return unit_complete(component);
  std::vector<std::size_t> ready;
  const auto complete = [&](const std::vector<std::size_t>& of_params) {
    for (const std::size_t bucket : of_params) {
      if (--buckets_[bucket].missing == 0) ready.push_back(bucket);
    }
  };
  if (component.empty()) {
    for (const auto& [name, of_params] : incomplete_) complete(of_params);
    incomplete_.clear();
  } else if (const auto found = incomplete_.find(component); found != incomplete_.end()) {
    complete(found->second);
    incomplete_.erase(found);
  }
  std::sort(ready.begin(), ready.end());
  builder_.set_phase(Phase::gradient_sync);
  for (const std::size_t index : ready) synchronise(layout_.buckets()[index]);
  builder_.set_phase(Phase::optimizer);
  for (const std::size_t index : ready) {
    const std::size_t range = buckets_[index].update;
    if (--updates_[range].missing == 0) range_final(range, component.empty());
  }
  builder_.set_phase(Phase::backward);
}

void Lowering::range_final(std::size_t range, bool backward_ended) {
  if (!backward_ended && updates_[range].elements * kSmallestPart < layout_.elements()) {
    late_.push_back(range);
    return;
  }
  final_.push_back(range);
  if (!overlapped()) return;
  const char* stream = backward_ended ? kCompute : kOptimizerStream;
  if (plan_.computes_norm()) add_squares(stream, range);
  if (plan_.clip == 0) update_range(stream, range);
}

void Lowering::add_squares(const char* stream, std::size_t range) {
  const UpdateRange& part = updates_[range];
  std::int64_t accumulate = range == final_.front() ? 0 : 1;
  for (const Piece& piece : pieces_of(part.begin, part.end)) {
    const std::int32_t copies = layout_.sections()[piece.section].copies;
    for (const ParamLayout::Part& alike : layout_.parts_of(piece.own.begin, piece.own.end)) {
      const ParamLayout::Range own{.begin = alike.begin,
                                   .end = alike.end,
                                   .state = piece.own.state + alike.begin - piece.own.begin};
      kernel(stream, fmt::format("norm.range{}{}", range, piece.name),
             SumSquaresShape{.elements = own.elements(),
                             .accumulate = std::exchange(accumulate, 1),
                             // What several ranks hold is counted once.
                             .weight = 1.0 / static_cast<double>(copies * alike.copies)},
             {own_gradient(own), square_sum_});
    }
  }
}

void Lowering::find_scale() {
  sum_over_model("norm.reduce", square_sum_, DType::f32);
  sum_over_experts("norm.reduce", square_sum_);
  sum_over_state("norm.reduce", square_sum_);
  compute("clip", ClipScaleShape{.max_norm = plan_.clip}, {square_sum_, norm_and_scale_});
}

void Lowering::update(const char* stream, const std::string& label, std::size_t begin,
                      std::size_t end) {
  if (!step_counted_) kernel(stream, "step", StepCountShape{}, {step_count_});
  step_counted_ = true;
  const std::vector<Piece> pieces = pieces_of(begin, end);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const Piece& piece = pieces[i];
    const std::int64_t elements = piece.own.elements();
    const auto state = [&](BufferSlice whole) {
      return whole.buffer < 0 ? whole : ProgramBuilder::part(whole, piece.own.state, elements);
    };
    const bool decay = layout_.sections()[piece.section].decay;
    kernel(stream, label + piece.name,
           AdamWShape{.elements = elements,
                      .unscaled = plan_.clip > 0 ? 0 : 1,
                      .lr = plan_.lr,
                      .weight_decay = decay ? plan_.weight_decay : 0.0},
           {own_gradient(piece.own), norm_and_scale_, step_count_, state(moment1_), state(moment2_),
            state(master_), own_param(piece.own)});
    const bool bucket_done = i + 1 == pieces.size() || pieces[i + 1].bucket != piece.bucket;
    if (!piece.sharded || !bucket_done || layout_.shards_params() || gathers_ahead()) continue;
    ungathered_.push_back(piece.bucket);
    if (std::string_view(stream) == kCompute) gather_updated();
  }
}

std::vector<Lowering::Piece> Lowering::pieces_of(std::size_t begin, std::size_t end) const {
  std::vector<Piece> pieces;
  for (std::size_t i = begin; i < end; ++i) {
    const ParamLayout::Bucket& bucket = layout_.buckets()[i];
    if (!bucket.sharded() && !layout_.shards_gradients()) {
      if (pieces.empty()) {
        pieces.push_back({.own = bucket.own, .section = bucket.section, .bucket = i});
      }
      pieces.back().own.end = bucket.own.end;
      continue;
    }
    for (std::size_t s = bucket.section; s < bucket.sections_end; ++s) {
      const ParamSection& section = layout_.sections()[s];
      ParamLayout::Range own = bucket.own;
      own.begin = std::max(own.begin, section.offset);
      own.end = std::min(own.end, section.offset + section.elements);
      own.state += own.begin - bucket.own.begin;
      if (own.begin >= own.end) continue;
      pieces.push_back({.own = own,
                        .section = s,
                        .bucket = i,
                        .sharded = bucket.sharded(),
                        .name = bucket.unit.empty()
                                    ? fmt::format("[{}:{}]", bucket.begin, bucket.end)
                                    : fmt::format("[{}.{}]", bucket.unit,
                                                  section.decay ? "matrices" : "vectors")});
    }
  }
  return pieces;
}

void Lowering::update_range(const char* stream, std::size_t range) {
  const UpdateRange& part = updates_[range];
  update(stream, fmt::format("adamw.range{}", range), part.begin, part.end);
}

void Lowering::optimizer() {
  builder_.set_phase(Phase::gradient_sync);
  sum_loss();
  sum_aux_loss();
  builder_.set_phase(Phase::optimizer);
  for (const std::size_t range : late_) range_final(range, true);
  if (plan_.computes_norm()) {
    if (!overlapped()) {
      for (const std::size_t range : final_) add_squares(kCompute, range);
    }
    find_scale();
  }
  gather_updated();
  if (overlapped()) {
    if (plan_.clip == 0) return;
    // The latest first: caches may still hold its gradients.
    for (auto range = final_.rbegin(); range != final_.rend(); ++range) {
      update_range(kCompute, *range);
    }
    return;
  }
  const auto& buckets = layout_.buckets();
  if (layout_.shards_gradients()) return update(kCompute, "adamw", 0, buckets.size());
  for (std::size_t i = 0, begin = 0, end = 0; i < layout_.sections().size(); ++i, begin = end) {
    while (end < buckets.size() && buckets[end].section == i) ++end;
    update(kCompute, fmt::format("adamw.section{}", i), begin, end);
  }
}

}  // namespace stepmark
