// SPDX-License-Identifier: Apache-2.0
// What data parallelism says between ranks: gradients, as the layout of parameters has them
// reduced, and the loss.
#include <fmt/format.h>

#include "harness/program/lowering/lowering.h"

namespace stepmark {

void Lowering::synchronise(const ParamLayout::Bucket& bucket) {
  const BufferSlice range = ProgramBuilder::part(grads_, bucket.begin, bucket.end - bucket.begin);
  const std::string label = fmt::format("grads[{}:{}]", bucket.begin, bucket.end);
  for (const GradientSum& sum : layout_.sections()[bucket.section].gradient_sums) {
    all_reduce(sum.of_batch ? label : fmt::format("{}.{}", label, sum.axis), sum.axis, range,
               DType::f32, ReduceOp::sum);
  }
}

void Lowering::sum_loss() {
  if (mesh_.data_shares() == 1 || !mesh_.has_loss(rank_)) return;
  all_reduce("loss.reduce", StepMesh::name_of(StepGroup::data), loss_buffer(), DType::f32,
             ReduceOp::sum);
}

}  // namespace stepmark
