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

#include "core/units.h"
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
  const auto& params = layout_.params();
  const std::vector<ParamLayout::Bucket> buckets =
      layout_.buckets(static_cast<std::int64_t>(plan_.bucket_mib * static_cast<double>(kMiB)) /
                      static_cast<std::int64_t>(sizeof(float)));
  std::size_t bucket = 0;
  for (std::size_t i = 0; i < params.size(); ++i) {
    while (params[i].offset >= buckets[bucket].end) ++bucket;
    while (buckets_.size() <= bucket) buckets_.push_back({.range = buckets[buckets_.size()]});
    ++buckets_[bucket].missing;
    incomplete_[params[i].name.substr(0, params[i].name.find('.'))].push_back(bucket);
  }
  const auto& sections = layout_.sections();
  std::size_t section = 0;
  for (PendingBucket& pending : buckets_) {
    while (pending.range.begin >= sections[section].offset + sections[section].elements) ++section;
    const bool open =
        !updates_.empty() && updates_.back().section == section &&
        updates_.back().end - updates_.back().begin < layout_.elements() / kRangesOfModel;
    if (!open) updates_.push_back({.begin = pending.range.begin, .section = section});
    updates_.back().end = pending.range.end;
    ++updates_.back().missing;
    pending.update = updates_.size() - 1;
  }
}

void Lowering::declare_optimizer_buffers() {
  moment1_ = buffer("moment1", BufferKind::optimizer, DType::f32, layout_.elements());
  moment2_ = buffer("moment2", BufferKind::optimizer, DType::f32, layout_.elements());
  step_count_ = buffer("step", BufferKind::scalar, DType::f32, 1);
  if (!plan_.computes_norm()) return;
  square_sum_ = buffer("norm_sum", BufferKind::scalar, DType::f32, 1);
  norm_and_scale_ = buffer(kNormBuffer, BufferKind::scalar, DType::f32, 2);
}

void Lowering::gradients_complete(const std::string& component) {
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
  for (const std::size_t index : ready) synchronise(buckets_[index].range);
  builder_.set_phase(Phase::optimizer);
  for (const std::size_t index : ready) {
    const std::size_t range = buckets_[index].update;
    if (--updates_[range].missing == 0) range_final(range, component.empty());
  }
  builder_.set_phase(Phase::backward);
}

void Lowering::range_final(std::size_t range, bool backward_ended) {
  const std::int64_t elements = updates_[range].end - updates_[range].begin;
  if (!backward_ended && elements * kSmallestPart < layout_.elements()) {
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
  // What several ranks hold is counted once.
  const std::int32_t copies = layout_.sections()[part.section].copies;
  kernel(stream, fmt::format("norm.range{}", range),
         SumSquaresShape{.elements = part.end - part.begin,
                         .accumulate = range == final_.front() ? 0 : 1,
                         .weight = 1.0 / copies},
         {ProgramBuilder::part(grads_, part.begin, part.end - part.begin), square_sum_});
}

void Lowering::find_scale() {
  sum_over_model("norm.reduce", square_sum_, DType::f32);
  compute("clip", ClipScaleShape{.max_norm = plan_.clip}, {square_sum_, norm_and_scale_});
}

void Lowering::update(const char* stream, const std::string& label, const ParamSection& section,
                      std::int64_t begin, std::int64_t end) {
  if (!step_counted_) kernel(stream, "step", StepCountShape{}, {step_count_});
  step_counted_ = true;
  const auto range = [&](BufferSlice whole) {
    return whole.buffer < 0 ? BufferSlice{} : ProgramBuilder::part(whole, begin, end - begin);
  };
  kernel(stream, label,
         AdamWShape{.elements = end - begin,
                    .unscaled = plan_.clip > 0 ? 0 : 1,
                    .lr = plan_.lr,
                    .weight_decay = section.decay ? plan_.weight_decay : 0.0},
         {range(grads_), norm_and_scale_, step_count_, range(moment1_), range(moment2_),
          range(master_), range(params_)});
}

void Lowering::update_range(const char* stream, std::size_t range) {
  const UpdateRange& part = updates_[range];
  update(stream, fmt::format("adamw.range{}", range), layout_.sections()[part.section], part.begin,
         part.end);
}

void Lowering::optimizer() {
  builder_.set_phase(Phase::gradient_sync);
  sum_loss();
  builder_.set_phase(Phase::optimizer);
  for (const std::size_t range : late_) range_final(range, true);
  if (plan_.computes_norm()) {
    if (!overlapped()) {
      for (const std::size_t range : final_) add_squares(kCompute, range);
    }
    find_scale();
  }
  if (overlapped()) {
    if (plan_.clip == 0) return;
    // The latest first: caches may still hold its gradients.
    for (auto range = final_.rbegin(); range != final_.rend(); ++range) {
      update_range(kCompute, *range);
    }
    return;
  }
  const auto& sections = layout_.sections();
  for (std::size_t i = 0; i < sections.size(); ++i) {
    update(kCompute, fmt::format("adamw.section{}", i), sections[i], sections[i].offset,
           sections[i].offset + sections[i].elements);
  }
}

}  // namespace stepmark
