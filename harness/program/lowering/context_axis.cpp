// SPDX-License-Identifier: Apache-2.0
// What context parallelism says between ranks that share each sequence: each has two chunks of it,
// from both ends, so that all see equally many keys (kernels/ops/context.h), and everything but
// attention is of its own tokens alone.
//
// allgather: keys and values of all ranks are gathered before attention, and again for its backward
// pass, whose gradients of them are reduce-scattered. ring: blocks of them travel to the next rank
// while the block at hand is attended to, and results are merged by their log-sum-exp; in the
// backward pass the gradient of a block follows it, one step behind, and comes home after the last;
// that of the own block, which is attended to first, waits for it there. ulysses: ranks exchange
// heads for tokens, so that each attends with a share of the heads to whole sequences.
//
// Gradients of keys and values travel in fp32, as they are sums.
#include <fmt/format.h>

#include "harness/program/lowering/lowering.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/context.h"
#include "kernels/ops/memory.h"

namespace stepmark {
namespace {

constexpr const char* kAxis = "cp";

}  // namespace

template <class Shape>
Shape Lowering::chunks_shape(std::int64_t key_pair, std::int64_t key_pairs, bool accumulate) const {
  Shape shape;
  shape.batch = plan_.micro_batch;
  shape.chunk = plan_.rank_seq() / 2;
  shape.ways = plan_.cp;
  shape.pair = mesh_.context_part(rank_);
  shape.key_pair = key_pair;
  shape.key_pairs = key_pairs;
  shape.heads = heads_;
  shape.kv_heads = kv_heads_;
  shape.head_dim = model_.head_dim;
  shape.accumulate = accumulate ? 1 : 0;
  return shape;
}

// Of whole sequences and this rank's share of the heads.
template <class Shape>
Shape Lowering::heads_share_shape() const {
  return {.batch = plan_.micro_batch,
          .seq = plan_.seq,
          .heads = heads_ / plan_.cp,
          .kv_heads = kv_heads_ / plan_.cp,
          .head_dim = model_.head_dim};
}

void Lowering::sum_parts(const std::string& label, BufferSlice x) {
  if (plan_.cp > 1) all_reduce(label, kAxis, x, DType::f32, ReduceOp::sum);
}

void Lowering::rotate_chunks(const std::string& label, BufferSlice qkv, bool inverse) {
  compute(label,
          RopeChunksShape{.batch = plan_.micro_batch,
                          .chunk = plan_.rank_seq() / 2,
                          .ways = plan_.cp,
                          .pair = mesh_.context_part(rank_),
                          .heads = heads_,
                          .kv_heads = kv_heads_,
                          .head_dim = model_.head_dim,
                          .inverse = inverse ? 1 : 0,
                          .theta = model_.rope_theta},
          {qkv});
}

// Keys and values of this rank's tokens: (tokens, 2 kv width).
BufferSlice Lowering::split_kv(const std::string& label, BufferSlice qkv, const std::string& into) {
  const BufferSlice kv = workspace(into, tokens_ * kv_width());
  compute(
      label,
      KvSplitShape{
          .tokens = tokens_, .heads = heads_, .kv_heads = kv_heads_, .head_dim = model_.head_dim},
      {qkv, kv});
  return kv;
}

BufferSlice Lowering::gather_kv(const std::string& label, BufferSlice qkv) {
  const BufferSlice kv = split_kv(label, qkv, "kv");
  const BufferSlice all = workspace("kv.all", plan_.cp * kv.elements);  // (cp, tokens, 2 kv width)
  gather_shares(label, kAxis, kv, all);
  return all;
}

// To the next rank, from the one before.
void Lowering::ring_hop(const std::string& label, DType dtype, BufferSlice to_next,
                        BufferSlice from_before) {
  const auto ways = static_cast<std::int32_t>(plan_.cp);
  const std::int32_t own = mesh_.context_part(rank_);
  builder_.comm(labelled(label), kAxis,
                {.verb = Verb::send_recv,
                 .axis = kAxis,
                 .dtype = dtype,
                 .count = to_next.elements,
                 .send_peer = (own + 1) % ways,
                 .recv_peer = (own + ways - 1) % ways},
                to_next, from_before);
}

void Lowering::exchange_heads(const std::string& label, BufferSlice x, std::int64_t kv_heads,
                              BufferSlice whole, bool back) {
  const std::int64_t heads = heads_, width = (heads + 2 * kv_heads) * model_.head_dim;
  // (cp, tokens, width / cp): a rank's share of the heads, of this rank's tokens; and its own share
  // of every rank's tokens.
  const auto part = [&](const char* what) {
    return ProgramBuilder::part(workspace(what, tokens_ * qkv_width_), 0, tokens_ * width);
  };
  const BufferSlice by_rank = part("heads.by_rank"), by_token = part("heads.by_token");
  const HeadsToRanksShape heads_shape{.tokens = tokens_,
                                      .heads = heads,
                                      .kv_heads = kv_heads,
                                      .head_dim = model_.head_dim,
                                      .ways = plan_.cp,
                                      .inverse = back ? 1 : 0};
  const ChunksInOrderShape order_shape{.batch = plan_.micro_batch,
                                       .chunk = plan_.rank_seq() / 2,
                                       .ways = plan_.cp,
                                       .width = width / plan_.cp,
                                       .inverse = back ? 1 : 0};
  const auto exchange = [&](BufferSlice send, BufferSlice recv) {
    builder_.comm(labelled(label + ".exchange"), kAxis,
                  {.verb = Verb::all_to_all,
                   .axis = kAxis,
                   .dtype = plan_.precision,
                   .count = send.elements / plan_.cp},
                  send, recv);
  };
  if (back) {
    compute(label + ".order", order_shape, {whole, by_token});
    exchange(by_token, by_rank);
    compute(label + ".heads", heads_shape, {by_rank, x});
  } else {
    compute(label + ".heads", heads_shape, {x, by_rank});
    exchange(by_rank, by_token);
    compute(label + ".order", order_shape, {by_token, whole});
  }
}

void Lowering::context_attention_forward(const std::string& name, BufferSlice qkv,
                                         BufferSlice attended, BufferSlice lse) {
  switch (plan_.cp_kind) {
    case ContextKind::allgather:
      return compute(name, chunks_shape<AttentionChunksFwdShape>(0, plan_.cp, false),
                     {qkv, gather_kv(name + ".kv", qkv), attended, lse});
    case ContextKind::ring:
      return ring_forward(name, qkv, attended, lse);
    case ContextKind::ulysses:
      break;
  }
  const BufferSlice whole =
      saved(name + ".qkv", tokens_ * qkv_width_);                    // (batch, seq, qkv width / cp)
  const BufferSlice out = saved(name + ".out", tokens_ * q_width_);  // (batch, seq, q width / cp)
  exchange_heads(name + ".qkv", qkv, kv_heads_, whole, false);
  compute(name, heads_share_shape<AttentionFwdShape>(), {whole, out, lse});
  exchange_heads(name + ".out", attended, 0, out, true);
}

void Lowering::ring_forward(const std::string& name, BufferSlice qkv, BufferSlice attended,
                            BufferSlice lse) {
  const std::int64_t ways = plan_.cp, own = mesh_.context_part(rank_);
  const bool narrow = plan_.precision != DType::f32;
  // Blocks of keys and values that are used and on their way, in turns: (tokens, 2 kv width).
  const BufferSlice even = split_kv(name + ".kv", qkv, "ring.kv.even");
  const BufferSlice odd = workspace("ring.kv.odd", even.elements);
  const BufferSlice out =  // (tokens, q width)
      narrow ? buffer("ring.out", BufferKind::workspace, DType::f32, attended.elements) : attended;
  for (std::int64_t step = 0; step < ways; ++step) {
    const BufferSlice here = step % 2 == 0 ? even : odd, next = step % 2 == 0 ? odd : even;
    if (step + 1 < ways) {
      ring_hop(fmt::format("{}.kv.hop{}", name, step + 1), plan_.precision, here, next);
    }
    auto shape = chunks_shape<AttentionChunksFwdShape>((own + ways - step) % ways, 1, step > 0);
    shape.out_f32 = narrow ? 1 : 0;
    compute(fmt::format("{}.block{}", name, step), shape, {qkv, here, out, lse});
  }
  if (narrow) compute(name + ".narrow", CastShape{.elements = out.elements}, {out, attended});
}

void Lowering::begin_context_backward(const std::string& name, BufferSlice qkv) {
  if (plan_.cp_kind == ContextKind::allgather) gathered_kv_ = gather_kv(name + ".kv", qkv);
}

void Lowering::context_attention_backward(const std::string& name, BufferSlice dattended,
                                          BufferSlice qkv, BufferSlice attended, BufferSlice lse,
                                          BufferSlice dqkv) {
  if (plan_.cp_kind == ContextKind::ulysses) return heads_backward(name, dattended, lse, dqkv);
  // Of this rank's tokens: (tokens, q width) and (tokens, 2 kv width).
  const auto sums = [&](const char* what, std::int64_t elements) {
    return buffer(what, BufferKind::workspace, DType::f32, elements);
  };
  const BufferSlice dq = sums("dq", tokens_ * q_width_), dkv = sums("dkv", tokens_ * kv_width());
  if (plan_.cp_kind == ContextKind::allgather) {
    const BufferSlice all = sums("dkv.all", plan_.cp * dkv.elements);  // (cp, tokens, 2 kv width)
    compute(name, chunks_shape<AttentionChunksBwdShape>(0, plan_.cp, false),
            {dattended, qkv, gathered_kv_, attended, lse, dq, all});
    builder_.comm(name + ".kv.reduce_scatter", kAxis,
                  {.verb = Verb::reduce_scatter,
                   .axis = kAxis,
                   .dtype = DType::f32,
                   .op = ReduceOp::sum,
                   .count = dkv.elements},
                  all, dkv);
  } else {
    ring_backward(name, {dattended, qkv, attended, lse}, dq, dkv);
  }
  compute(
      name + ".join",
      QkvJoinShape{
          .tokens = tokens_, .heads = heads_, .kv_heads = kv_heads_, .head_dim = model_.head_dim},
      {dq, dkv, dqkv});
}

void Lowering::ring_backward(const std::string& name, const std::array<BufferSlice, 4>& saved,
                             BufferSlice dq, BufferSlice dkv) {
  const auto& [dattended, qkv, attended, lse] = saved;
  const std::int64_t ways = plan_.cp, own = mesh_.context_part(rank_);
  const BufferSlice even = split_kv(name + ".kv", qkv, "ring.kv.even");  // (tokens, 2 kv width)
  const BufferSlice odd = workspace("ring.kv.odd", even.elements);
  const auto sums = [&](const char* what) {  // (tokens, 2 kv width)
    return buffer(what, BufferKind::workspace, DType::f32, dkv.elements);
  };
  const BufferSlice arrived = sums("ring.dkv.arrived");
  const auto add_arrived = [&](const std::string& label, BufferSlice to) {
    builder_.kernel(label, kCompute,
                    pack(TriadShape{.elements = to.elements, .s = 1.0}, DType::f32),
                    {to, arrived, to});
  };
  for (std::int64_t step = 0; step < ways; ++step) {
    const BufferSlice here = step % 2 == 0 ? even : odd, next = step % 2 == 0 ? odd : even;
    if (step + 1 < ways) {
      ring_hop(fmt::format("{}.kv.hop{}", name, step + 1), plan_.precision, here, next);
    }
    // The own block's gradient stays; those of others were computed by the ranks before as well.
    const BufferSlice block =
        step == 0 ? dkv : sums(step % 2 == 0 ? "ring.dkv.even" : "ring.dkv.odd");
    compute(fmt::format("{}.block{}", name, step),
            chunks_shape<AttentionChunksBwdShape>((own + ways - step) % ways, 1, step > 0),
            {dattended, qkv, here, attended, lse, dq, block});
    if (step == 0) continue;
    if (step > 1) add_arrived(fmt::format("{}.dkv.add{}", name, step), block);
    ring_hop(fmt::format("{}.dkv.hop{}", name, step), DType::f32, block, arrived);
  }
  add_arrived(name + ".dkv.add", dkv);
}

void Lowering::heads_backward(const std::string& name, BufferSlice dattended, BufferSlice lse,
                              BufferSlice dqkv) {
  // Named as the forward pass has named them.
  const std::string forward = name.substr(0, name.rfind(".bwd"));
  const BufferSlice whole = saved(forward + ".qkv", tokens_ * qkv_width_);
  const BufferSlice out = saved(forward + ".out", tokens_ * q_width_);
  const BufferSlice dout = workspace("heads.dout", tokens_ * q_width_);
  const BufferSlice dwhole = workspace("heads.dqkv", tokens_ * qkv_width_);
  exchange_heads(name + ".out", dattended, 0, dout, false);
  compute(name, heads_share_shape<AttentionBwdShape>(), {dout, whole, out, lse, dwhole});
  exchange_heads(name + ".qkv", dqkv, kv_heads_, dwhole, true);
}

}  // namespace stepmark
