// SPDX-License-Identifier: Apache-2.0
// The attention block: norm, column-parallel qkv projection, causal attention over this rank's
// heads, row-parallel output projection, residual sum. Where ranks share sequences, attention is in
// context_axis.cpp.
#include "kernels/ops/attention.h"

#include <fmt/format.h>

#include "harness/program/lowering/lowering.h"
#include "kernels/ops/norm.h"

namespace stepmark {
namespace {

// (piece, rank, row, q width)
constexpr const char* kAttendedPieces = "pieces.attended";

}  // namespace

// Kept for the backward pass, unless that keeps what was exchanged for it.
BufferSlice Lowering::projected(const std::string& layer) {
  const std::int64_t elements = tokens_ * qkv_width_;
  return plan_.cp > 1 && plan_.cp_kind == ContextKind::ulysses ? workspace("qkv", elements)
                                                               : saved(layer + "qkv", elements);
}

void Lowering::norm_heads(const std::string& layer, BufferSlice qkv) {
  if (!model_.qk_norm) return;
  const std::int64_t heads = tokens_ * (heads_ + kv_heads_);
  const std::string name = layer + "attn.head_norm";
  compute(name,
          HeadNormFwdShape{.tokens = tokens_,
                           .heads = heads_,
                           .kv_heads = kv_heads_,
                           .head_dim = model_.head_dim,
                           .eps = model_.norm_eps},
          {qkv, param(layer + "attn.q_norm.weight"), param(layer + "attn.k_norm.weight"),
           saved(layer + "heads.raw", heads * model_.head_dim),  // (tokens, heads + kv heads, dim)
           saved(layer + "heads.rstd", heads, DType::f32)});     // (tokens, heads + kv heads)
}

void Lowering::norm_heads_backward(const std::string& layer, BufferSlice dqkv) {
  if (!model_.qk_norm) return;
  const std::int64_t heads = tokens_ * (heads_ + kv_heads_);
  compute(layer + "attn.head_norm.bwd",
          HeadNormBwdShape{.tokens = tokens_,
                           .heads = heads_,
                           .kv_heads = kv_heads_,
                           .head_dim = model_.head_dim,
                           .accumulate = pass_.adds_to_norms ? 1 : 0},
          {dqkv, saved(layer + "heads.raw", heads * model_.head_dim),
           param(layer + "attn.q_norm.weight"), param(layer + "attn.k_norm.weight"),
           saved(layer + "heads.rstd", heads, DType::f32), grad(layer + "attn.q_norm.weight"),
           grad(layer + "attn.k_norm.weight")});
}

void Lowering::rotate(const std::string& label, BufferSlice qkv, bool inverse) {
  if (plan_.cp > 1) return rotate_chunks(label, qkv, inverse);
  compute(label,
          RopeShape{.batch = plan_.micro_batch,
                    .seq = plan_.seq,
                    .heads = heads_,
                    .kv_heads = kv_heads_,
                    .head_dim = model_.head_dim,
                    .inverse = inverse ? 1 : 0,
                    .theta = model_.rope_theta},
          {qkv});
}

void Lowering::attention_forward(std::int64_t layer) {
  const std::string name = fmt::format("layer{}.", layer);
  const BufferSlice x = residual(layer);
  const BufferSlice normed =
      saved(name + "attn_norm.out", share_tokens_ * model_.hidden);  // (share, hidden)
  norm_forward(name + "attn_norm", x, normed);
  const BufferSlice whole = gather_pieces(name + "attn", normed, "gathered");
  const BufferSlice qkv = projected(name);                  // (tokens, qkv width)
  const BufferSlice pieces = as_pieces(qkv, "pieces.qkv");  // (piece, rank, row, qkv width)
  for_each_piece([&](std::int64_t n) {
    linear_forward(name + "attn.qkv", piece_of(whole, n), piece_of(pieces, n), piece_tokens(),
                   qkv_width_, model_.hidden, model_.has_bias());
  });
  reorder(name + "attn.qkv", pieces, qkv, true);
  norm_heads(name, qkv);
  if (model_.family == ModelFamily::llama) rotate(name + "rope", qkv, false);
  const BufferSlice attended = saved(name + "attended", tokens_ * q_width_);  // (tokens, q width)
  const BufferSlice lse = saved(name + "lse", tokens_ * heads_, DType::f32);  // (tokens, heads)
  if (plan_.cp > 1) {
    context_attention_forward(name + "attention", qkv, attended, lse);
  } else {
    compute(name + "attention",
            AttentionFwdShape{.batch = plan_.micro_batch,
                              .seq = plan_.seq,
                              .heads = heads_,
                              .kv_heads = kv_heads_,
                              .head_dim = model_.head_dim},
            {qkv, attended, lse});
  }
  const BufferSlice middle = saved(name + "mid", share_tokens_ * model_.hidden);  // (share, hidden)
  row_parallel_residual(name + "attn.out", in_pieces(name + "attn.out", attended, kAttendedPieces),
                        q_width_, x, middle);
}

void Lowering::attention_backward(std::int64_t layer) {
  const std::string name = fmt::format("layer{}.", layer);
  const BufferSlice dout = gradient_at(name + "mid");  // (share, hidden)
  if (pass_.weights && plan_.sequence_parallel) {
    // of this rank's tokens, while the others' are on their way
    bias_gradient(name + "attn.out", dout, share_tokens_, model_.hidden);
  }
  const BufferSlice dy = gather_gradient(name + "attn.out.bwd", dout, name + "mid");
  const BufferSlice attended = saved(name + "attended", tokens_ * q_width_);  // (tokens, q width)
  const BufferSlice dattended = workspace("dattended", tokens_ * q_width_);   // (tokens, q width)
  const BufferSlice qkv = projected(name);                                    // (tokens, qkv width)
  if (pass_.inputs) {
    if (plan_.cp > 1) begin_context_backward(name + "attention.bwd", qkv);
    const BufferSlice pieces = as_pieces(dattended, kAttendedPieces);
    for_each_piece([&](std::int64_t n) {
      linear_input_gradient(name + "attn.out", piece_of(dy, n), piece_of(pieces, n), piece_tokens(),
                            model_.hidden, q_width_);
    });
    reorder(name + "attn.out.dgrad", pieces, dattended, true);
  }
  if (pass_.weights) {
    linear_weight_gradient(name + "attn.out", dy,
                           in_pieces(name + "attn.out.wgrad", attended, kAttendedPieces), tokens_,
                           model_.hidden, q_width_);
    if (!plan_.sequence_parallel) bias_gradient(name + "attn.out", dy, tokens_, model_.hidden);
  }
  const BufferSlice dqkv =
      gradient_of("dqkv", name + "qkv", tokens_ * qkv_width_);  // (tokens, qkv width)
  if (pass_.inputs) {
    const BufferSlice lse = saved(name + "lse", tokens_ * heads_, DType::f32);  // (tokens, heads)
    if (plan_.cp > 1) {
      context_attention_backward(name + "attention.bwd", dattended, qkv, attended, lse, dqkv);
    } else {
      compute(name + "attention.bwd",
              AttentionBwdShape{.batch = plan_.micro_batch,
                                .seq = plan_.seq,
                                .heads = heads_,
                                .kv_heads = kv_heads_,
                                .head_dim = model_.head_dim},
              {dattended, qkv, attended, lse, dqkv});
    }
  }
  if (pass_.inputs && model_.family == ModelFamily::llama) rotate(name + "rope.bwd", dqkv, true);
  if (pass_.inputs) norm_heads_backward(name, dqkv);
  const BufferSlice normed =
      saved(name + "attn_norm.out", share_tokens_ * model_.hidden);  // (share, hidden)
  BufferSlice whole, dnormed;
  if (pass_.weights) {
    norm_again(name + "attn_norm", residual(layer), normed);
    whole = gather_tokens(name + "attn.bwd", normed, "gathered");
  }
  beside_sums(
      [&] {
        const BufferSlice dwhole =
            workspace("dpartial", tokens_ * model_.hidden);  // (tokens, hidden)
        const BufferSlice pieces = in_pieces(name + "attn.qkv.dgrad", dqkv, "pieces.qkv");
        dnormed = sum_of_pieces(name + "attn.qkv.dgrad", dwhole, [&](std::int64_t n) {
          linear_input_gradient(name + "attn.qkv", piece_of(pieces, n), piece_of(dwhole, n),
                                piece_tokens(), qkv_width_, model_.hidden);
        });
      },
      [&] {
        linear_weight_gradient(name + "attn.qkv", dqkv, whole, tokens_, qkv_width_, model_.hidden);
        bias_gradient(name + "attn.qkv", dqkv, tokens_, qkv_width_);
        sum_shared_heads(name + "attn.qkv");
      });
  if (!pass_.inputs) return;
  branch_backward(name + "attn_norm", dnormed, residual(layer), dout, gradient_before(layer));
}

}  // namespace stepmark
