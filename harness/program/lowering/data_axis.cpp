// SPDX-License-Identifier: Apache-2.0
// What ranks that see other tokens, of the data and the context axis, say to each other: gradients,
// as the layout of parameters has them reduced, parameters, where it has their updates spread, and
// the loss.
//
// ZeRO-1: a bucket's gradients leave by reduce-scatter where an all-reduce would be, in place; each
// rank updates its shard; an all-gather puts the bucket together, in place again, while the next
// one is updated. Gathers are issued when all scatters are: the axis' stream runs its calls in
// order, so that an earlier one would keep gradients waiting for an update. With gather=forward
// they are issued where the next step begins, in the order in which its forward pass needs them.
// ZeRO-2 and 3 are in units.cpp.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "harness/program/lowering/lowering.h"
#include "kernels/ops/memory.h"

namespace stepmark {
namespace {

BufferSlice whole_of(BufferSlice flat, const ParamLayout::Bucket& bucket) {
  return ProgramBuilder::part(flat, bucket.begin, bucket.end - bucket.begin);
}

}  // namespace

void Lowering::synchronise(const ParamLayout::Bucket& bucket) {
  BufferSlice range = whole_of(grads_, bucket);
  const std::string name = fmt::format("grads[{}:{}]", bucket.begin, bucket.end);
  bool scattered = false;
  for (const GradientSum& sum : layout_.sections()[bucket.section].gradient_sums) {
    const bool plain = sum.of_batch && !scattered;
    const BufferSlice into = sum.scattered ? own_gradient(bucket.own) : range;
    reduce(plain ? name : fmt::format("{}.{}", name, sum.axis), sum, range, into);
    range = into;
    scattered = scattered || sum.scattered;
  }
}

void Lowering::reduce(const std::string& label, const GradientSum& sum, BufferSlice whole,
                      BufferSlice own) {
  const DType wire = sum.of_batch ? plan_.reduce : DType::f32;
  const auto cast = [&](const char* what, bool widen, BufferSlice from, BufferSlice to) {
    builder_.kernel(label + what, sum.axis,
                    pack(CastShape{.elements = from.elements, .to_f32 = widen ? 1 : 0}, wire),
                    {from, to});
  };
  BufferSlice from = whole, to = own;
  if (wire != DType::f32) {
    from = ProgramBuilder::part(
        buffer("grads.wire." + sum.axis, BufferKind::workspace, wire, largest_sum_.at(sum.axis)), 0,
        whole.elements);
    to = sum.scattered ? ProgramBuilder::part(from, sum.shard * own.elements, own.elements) : from;
    cast(".narrow", false, whole, from);
  }
  if (sum.scattered) {
    builder_.comm(label, sum.axis,
                  {.verb = Verb::reduce_scatter,
                   .axis = sum.axis,
                   .dtype = wire,
                   .op = ReduceOp::sum,
                   .count = own.elements},
                  from, to);
  } else {
    all_reduce(label, sum.axis, from, wire, ReduceOp::sum);
  }
  if (wire != DType::f32) cast(".widen", true, to, own);
}

void Lowering::gather_params(const std::string& label, const ParamLayout::Bucket& bucket,
                             BufferSlice whole) {
  const std::string& axis = layout_.sections()[bucket.section].state.axis;
  const BufferSlice own = own_param(bucket.own);
  builder_.comm(
      label, axis,
      {.verb = Verb::all_gather, .axis = axis, .dtype = plan_.precision, .count = own.elements},
      own, whole);
}

void Lowering::gather_updated() {
  for (const std::size_t index : ungathered_) {
    const ParamLayout::Bucket& bucket = layout_.buckets()[index];
    gather_params(fmt::format("params[{}:{}]", bucket.begin, bucket.end), bucket,
                  whole_of(params_, bucket));
  }
  ungathered_.clear();
}

void Lowering::begin_step() {
  if (!gathers_ahead()) return;
  // What of a bucket is used first: the embedding, a layer, the head.
  std::map<std::size_t, std::int64_t> first_use;
  for (const Param& param : layout_.params()) {
    std::int64_t use = model_.layers;
    if (param.name.starts_with("layer")) use = std::stoll(param.name.substr(5));
    if (param.name.starts_with("embedding") || param.name.starts_with("position")) {
      use = stages_.front().first ? -1 : model_.layers;
    }
    const auto [found, fresh] = first_use.try_emplace(layout_.bucket_of(param), use);
    if (!fresh) found->second = std::min(found->second, use);
  }
  std::vector<std::pair<std::int64_t, std::size_t>> order;
  for (const auto& [bucket, use] : first_use) order.emplace_back(use, bucket);
  std::sort(order.begin(), order.end());
  for (const auto& [use, bucket] : order) {
    if (layout_.buckets()[bucket].sharded()) ungathered_.push_back(bucket);
  }
  builder_.set_phase(Phase::forward);
  gather_updated();
}

// Of what each rank has of the shards that it updates; nothing where each updates all.
void Lowering::sum_over_state(const std::string& label, BufferSlice x) {
  const StateSharding& state = layout_.state();
  if (state.ways == 1) return;
  all_reduce(fmt::format("{}.{}", label, state.axis), state.axis, x, DType::f32, ReduceOp::sum);
}

void Lowering::sum_loss() {
  if (plan_.gradient_ways() == 1 || !mesh_.has_loss(rank_)) return;
  all_reduce("loss.reduce", StepMesh::name_of(mesh_.gradient_group()), loss_buffer(), DType::f32,
             ReduceOp::sum);
}

}  // namespace stepmark
