// SPDX-License-Identifier: Apache-2.0
// What tensor parallelism says between ranks. With sequence parallelism (arXiv 2205.05198) its two
// points are an all-gather and a reduce-scatter over tokens; without, the identity and an
// all-reduce.
#include "harness/program/lowering/lowering.h"

namespace stepmark {
namespace {

constexpr const char* kAxis = "tp";

}  // namespace

BufferSlice Lowering::gather_tokens(const std::string& label, BufferSlice x,
                                    const std::string& into) {
  if (!plan_.sequence_parallel) return x;
  const BufferSlice whole = workspace(into, tokens_ * model_.hidden);  // (tokens, hidden)
  gather_into(label, x, whole);
  return whole;
}

void Lowering::gather_into(const std::string& label, BufferSlice x, BufferSlice whole) {
  builder_.comm(
      labelled(label + ".gather"), kAxis,
      {.verb = Verb::all_gather, .axis = kAxis, .dtype = plan_.precision, .count = x.elements}, x,
      whole);
}

BufferSlice Lowering::gather_gradient(const std::string& label, BufferSlice d,
                                      const std::string& place) {
  if (!plan_.sequence_parallel) return d;
  const BufferSlice whole =
      gradient_of("gathered_dy", place + ".whole", tokens_ * model_.hidden);  // (tokens, hidden)
  if (pass_.inputs) gather_into(label, d, whole);
  return whole;
}

void Lowering::sum_tokens(const std::string& label, BufferSlice partial, BufferSlice share) {
  if (!plan_.sequence_parallel) {
    sum_shards(label + ".reduce", share, plan_.precision);
    return;
  }
  builder_.comm(labelled(label + ".reduce_scatter"), kAxis,
                {.verb = Verb::reduce_scatter,
                 .axis = kAxis,
                 .dtype = plan_.precision,
                 .op = ReduceOp::sum,
                 .count = share.elements},
                partial, share);
}

BufferSlice Lowering::reduce_tokens(const std::string& label, BufferSlice partial) {
  const BufferSlice share =
      plan_.sequence_parallel
          ? workspace("reduced", share_tokens_ * model_.hidden)  // (share, hidden)
          : partial;
  sum_tokens(label, partial, share);
  return share;
}

void Lowering::sum_shared_heads(const std::string& name) {
  if (shards_.kv_copies == 1 || !(pass_.last || reduces_every_pass())) return;
  builder_.set_phase(Phase::gradient_sync);
  for (const char* what : {".weight", ".bias"}) {
    if (what == std::string_view(".bias") && !model_.has_bias()) continue;
    const std::int64_t shared = layout_.find(name + what).shared_elements();
    const BufferSlice whole = grad(name + what);
    // Rows of keys and values stand behind those of queries.
    all_reduce(name + what + ".kv", StepGroups::kKeyValues,
               ProgramBuilder::part(whole, whole.elements - shared, shared), DType::f32,
               ReduceOp::sum);
  }
  builder_.set_phase(Phase::backward);
}

void Lowering::sum_shards(const std::string& label, BufferSlice x, DType dtype, ReduceOp op) {
  if (shards_.ways > 1) all_reduce(label, kAxis, x, dtype, op);
}

}  // namespace stepmark
