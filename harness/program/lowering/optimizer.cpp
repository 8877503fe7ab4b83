// SPDX-License-Identifier: Apache-2.0
// Gradient synchronisation over the data-parallel group by buckets, global norm and clip, AdamW.
#include "kernels/ops/optimizer.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/units.h"
#include "harness/program/lowering/lowering.h"

namespace stepmark {

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
  builder_.set_phase(Phase::backward);
}

void Lowering::synchronise(const ParamLayout::Bucket& bucket) {
  const BufferSlice range = ProgramBuilder::part(grads_, bucket.begin, bucket.end - bucket.begin);
  const std::string label = fmt::format("grads[{}:{}]", bucket.begin, bucket.end);
  // With sequence parallelism each rank has seen a share of the tokens only.
  if (bucket.replicated && plan_.sequence_parallel) {
    all_reduce(label + ".tp", kTensorAxis, range, DType::f32, ReduceOp::sum);
  }
  if (plan_.dp > 1) all_reduce(label, kDataAxis, range, DType::f32, ReduceOp::sum);
}

void Lowering::optimizer() {
  builder_.set_phase(Phase::gradient_sync);
  if (plan_.dp > 1) {
    const BufferSlice loss = buffer(kLossBuffer, BufferKind::scalar, DType::f32, 1);
    all_reduce("loss.reduce", kDataAxis, loss, DType::f32, ReduceOp::sum);
  }
  builder_.set_phase(Phase::optimizer);
  const BufferSlice sum = buffer("norm_sum", BufferKind::scalar, DType::f32, 1);
  const BufferSlice norm = buffer(kNormBuffer, BufferKind::scalar, DType::f32, 2);
  const BufferSlice step = buffer("step", BufferKind::scalar, DType::f32, 1);
  const auto& sections = layout_.sections();
  for (std::size_t i = 0; i < sections.size(); ++i) {
    const ParamSection& section = sections[i];
    // Every rank of the tensor-parallel group holds the replicated parameters: count them once.
    const double weight = section.replicated ? 1.0 / static_cast<double>(plan_.tp) : 1.0;
    compute(fmt::format("norm.section{}", i),
            SumSquaresShape{
                .elements = section.elements, .accumulate = i > 0 ? 1 : 0, .weight = weight},
            {ProgramBuilder::part(grads_, section.offset, section.elements), sum});
  }
  if (plan_.tp > 1) all_reduce("norm.reduce", kTensorAxis, sum, DType::f32, ReduceOp::sum);
  compute("clip", ClipScaleShape{.max_norm = plan_.clip}, {sum, norm});
  compute("step", StepCountShape{}, {step});
  const BufferSlice m = buffer("moment1", BufferKind::optimizer, DType::f32, layout_.elements());
  const BufferSlice v = buffer("moment2", BufferKind::optimizer, DType::f32, layout_.elements());
  for (std::size_t i = 0; i < sections.size(); ++i) {
    const ParamSection& section = sections[i];
    const auto range = [&](BufferSlice whole) {
      return whole.buffer < 0 ? BufferSlice{}
                              : ProgramBuilder::part(whole, section.offset, section.elements);
    };
    compute(fmt::format("adamw.section{}", i),
            AdamWShape{.elements = section.elements,
                       .lr = plan_.lr,
                       .weight_decay = section.decay ? plan_.weight_decay : 0.0},
            {range(grads_), norm, step, range(m), range(v), range(master_), range(params_)});
  }
}

}  // namespace stepmark
