// SPDX-License-Identifier: Apache-2.0
// What data parallelism says between ranks: gradients, as the layout of parameters has them
// reduced, parameters, where it has their updates spread, and the loss.
//
// ZeRO-1: a bucket's gradients leave by reduce-scatter where an all-reduce would be, in place; each
// rank updates its shard; an all-gather puts the bucket together, in place again, while the next
// one is updated. Gathers are issued when all scatters are: the axis' stream runs its calls in
// order, so that an earlier one would keep gradients waiting for an update.
#include <fmt/format.h>

#include "harness/program/lowering/lowering.h"

namespace stepmark {
namespace {

BufferSlice whole_of(BufferSlice flat, const ParamLayout::Bucket& bucket) {
  return ProgramBuilder::part(flat, bucket.begin, bucket.end - bucket.begin);
}

BufferSlice own_of(BufferSlice flat, const ParamLayout::Bucket& bucket) {
  return ProgramBuilder::part(flat, bucket.own.begin, bucket.own.elements());
}

}  // namespace

void Lowering::synchronise(const ParamLayout::Bucket& bucket) {
  const BufferSlice range = whole_of(grads_, bucket);
  const std::string name = fmt::format("grads[{}:{}]", bucket.begin, bucket.end);
  for (const GradientSum& sum : layout_.sections()[bucket.section].gradient_sums) {
    const std::string label = sum.of_batch ? name : fmt::format("{}.{}", name, sum.axis);
    if (!sum.scattered) {
      all_reduce(label, sum.axis, range, DType::f32, ReduceOp::sum);
      continue;
    }
    const BufferSlice own = own_of(grads_, bucket);
    builder_.comm(label, sum.axis,
                  {.verb = Verb::reduce_scatter,
                   .axis = sum.axis,
                   .dtype = DType::f32,
                   .op = ReduceOp::sum,
                   .count = own.elements},
                  range, own);
  }
}

void Lowering::gather_updated() {
  for (const std::size_t index : ungathered_) {
    const ParamLayout::Bucket& bucket = layout_.buckets()[index];
    const std::string& axis = layout_.state().axis;
    const BufferSlice own = own_of(params_, bucket);
    builder_.comm(
        fmt::format("params[{}:{}]", bucket.begin, bucket.end), axis,
        {.verb = Verb::all_gather, .axis = axis, .dtype = plan_.precision, .count = own.elements},
        own, whole_of(params_, bucket));
  }
  ungathered_.clear();
}

// Of what each rank has of the shards that it updates; nothing where each updates all.
void Lowering::sum_over_state(const std::string& label, BufferSlice x) {
  const StateSharding& state = layout_.state();
  if (state.ways == 1) return;
  all_reduce(fmt::format("{}.{}", label, state.axis), state.axis, x, DType::f32, ReduceOp::sum);
}

void Lowering::sum_loss() {
  if (mesh_.data_shares() == 1 || !mesh_.has_loss(rank_)) return;
  all_reduce("loss.reduce", StepMesh::name_of(StepGroup::data), loss_buffer(), DType::f32,
             ReduceOp::sum);
}

}  // namespace stepmark
