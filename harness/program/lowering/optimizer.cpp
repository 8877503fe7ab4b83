// SPDX-License-Identifier: Apache-2.0
// Gradient synchronisation over the data-parallel group by buckets, global norm and clip, AdamW.
#include "kernels/ops/optimizer.h"

#include <fmt/format.h>

#include "harness/program/lowering/lowering.h"

namespace stepmark {

void Lowering::gradients_complete(std::string_view prefix) {
  const auto& params = layout_.params();
  for (std::size_t i = 0; i < params.size(); ++i) {
    if (params[i].name.starts_with(prefix)) complete_[i] = true;
  }
  builder_.set_phase(Phase::gradient_sync);
  std::erase_if(buckets_, [&](const ParamLayout::Bucket& bucket) {
    for (std::size_t i = 0; i < params.size(); ++i) {
      const bool inside = params[i].offset >= bucket.begin && params[i].offset < bucket.end;
      if (inside && !complete_[i]) return false;
    }
    const BufferSlice range = ProgramBuilder::part(grads_, bucket.begin, bucket.end - bucket.begin);
    const std::string label = fmt::format("grads[{}:{}]", bucket.begin, bucket.end);
    // With sequence parallelism each rank has seen a share of the tokens only.
    if (bucket.replicated && plan_.sequence_parallel) {
      all_reduce(label + ".tp", kTensorAxis, range, DType::f32, ReduceOp::sum);
    }
    if (plan_.dp > 1) all_reduce(label, kDataAxis, range, DType::f32, ReduceOp::sum);
    return true;
  });
  builder_.set_phase(Phase::backward);
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
