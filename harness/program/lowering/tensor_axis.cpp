// SPDX-License-Identifier: Apache-2.0
// What tensor parallelism says between ranks. With sequence parallelism (arXiv 2205.05198) its two
// points are an all-gather and a reduce-scatter over tokens; without, the identity and an
// all-reduce.
//
// With tp_chunks=N a layer's linear layers take its tokens in N pieces, the n-th of which has the
// n-th piece of every rank's share: each is gathered by itself, while the one before is multiplied,
// and scattered by itself, while the next one is. What is gathered lies piece behind piece, (piece,
// rank, row), which is no order of tokens. That is as good as any other where rows are taken one by
// one or summed over: in all of the MLP. Attention wants sequences, so that what it reads and
// writes is put in order in between. Experts are chosen by token and sequence: what they take and
// give is gathered and scattered whole.
#include "harness/program/lowering/lowering.h"
#include "kernels/ops/context.h"

namespace stepmark {
namespace {

constexpr const char* kAxis = "tp";

}  // namespace

BufferSlice Lowering::gather_tokens(const std::string& label, BufferSlice x,
                                    const std::string& into) {
  if (!plan_.sequence_parallel) return x;
  const BufferSlice whole = workspace(into, tokens_ * model_.hidden);  // (tokens, hidden)
  gather_shares(label, kAxis, x, whole);
  return whole;
}

BufferSlice Lowering::gather_pieces(const std::string& label, BufferSlice x,
                                    const std::string& into) {
  if (!plan_.sequence_parallel) return x;
  const BufferSlice whole = workspace(into, tokens_ * model_.hidden);  // (piece, rank, row, hidden)
  gather_pieces_into(label, x, whole);
  return whole;
}

void Lowering::gather_pieces_into(const std::string& label, BufferSlice x, BufferSlice whole) {
  for_each_piece(
      [&](std::int64_t n) { gather_shares(label, kAxis, piece_of(x, n), piece_of(whole, n)); });
}

BufferSlice Lowering::piece_of(BufferSlice x, std::int64_t n) const {
  const std::int64_t elements = x.elements / plan_.tp_chunks;
  return ProgramBuilder::part(x, n * elements, elements);
}

BufferSlice Lowering::as_pieces(BufferSlice x, const std::string& name) {
  return plan_.tp_chunks == 1 ? x : workspace(name, x.elements);
}

// Pieces are what the op calls tokens, and their rows what it calls heads.
void Lowering::reorder(const std::string& label, BufferSlice from, BufferSlice to, bool tokens) {
  if (plan_.tp_chunks == 1) return;
  compute(label + (tokens ? ".in_order" : ".in_pieces"),
          HeadsToRanksShape{.tokens = plan_.tp_chunks,
                            .heads = piece_tokens(),
                            .kv_heads = 0,
                            .head_dim = from.elements / tokens_,
                            .ways = shards_.ways,
                            .inverse = tokens ? 0 : 1},
          {from, to});
}

BufferSlice Lowering::in_pieces(const std::string& label, BufferSlice x, const std::string& name) {
  const BufferSlice pieces = as_pieces(x, name);
  reorder(label, x, pieces, false);
  return pieces;
}

BufferSlice Lowering::gather_gradient(const std::string& label, BufferSlice d,
                                      const std::string& place, bool pieces) {
  if (!plan_.sequence_parallel) return d;
  const BufferSlice whole =
      gradient_of("gathered_dy", place + ".whole", tokens_ * model_.hidden);  // (tokens, hidden)
  if (!pass_.inputs) return whole;
  if (pieces) {
    gather_pieces_into(label, d, whole);
  } else {
    gather_shares(label, kAxis, d, whole);
  }
  return whole;
}

void Lowering::sum_tokens(const std::string& label, BufferSlice partial, BufferSlice share) {
  if (!plan_.sequence_parallel) {
    sum_shards(label + ".reduce", share, plan_.precision);
    return;
  }
  scatter_sum(label, kAxis, partial, share);
}

BufferSlice Lowering::share_of(BufferSlice partial) {
  if (!plan_.sequence_parallel) return partial;
  return workspace("reduced", share_tokens_ * model_.hidden);  // (share, hidden)
}

BufferSlice Lowering::reduce_tokens(const std::string& label, BufferSlice partial) {
  const BufferSlice share = share_of(partial);
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
