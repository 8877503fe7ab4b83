// SPDX-License-Identifier: Apache-2.0
// Buffers are declared when they are first asked for, and again by name in later passes; shapes in
// comments are (tokens, hidden), tokens being those of one micro-step and `share` what a rank has
// of them under sequence parallelism.
#include "harness/program/lowering/lowering.h"

#include <algorithm>

#include "core/error.h"
#include "harness/program/routing.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/gemm.h"
#include "kernels/ops/norm.h"

namespace stepmark {

Lowering::Lowering(const Model& model, const Plan& plan, std::int32_t rank,
                   const DeviceTraits& traits)
    : model_(model),
      plan_(plan),
      mesh_(plan),
      rank_(rank),
      stages_(model_stages(model, plan, mesh_.stage(rank))),
      shards_(shards_of(model, plan, rank, traits)),
      layout_(model, plan, rank, traits),
      builder_(fmt::format("{} {} rank {}", model.name, short_name(plan), rank), rank,
               mesh_.size()),
      tokens_(plan.rank_tokens()),
      share_tokens_(plan.sequence_parallel ? tokens_ / shards_.ways : tokens_),
      heads_(shards_.heads),
      kv_heads_(shards_.kv_heads),
      q_width_(heads_ * model.head_dim),
      qkv_width_((heads_ + 2 * kv_heads_) * model.head_dim),
      ffn_(padded(shards_.ffn, traits.dimension_multiple)),
      mlp_in_(model.mlp_in_width() / model.ffn * ffn_),
      shared_ffn_(padded(shards_.shared_ffn, traits.dimension_multiple)),
      routed_(routed_tokens(plan, rank).tokens),
      logits_width_(shards_.vocab.count + shards_.vocab.padding) {
  const StepGroups groups(model, plan);
  for (const std::string& name : groups.names()) {
    const std::vector<std::int32_t> ranks = groups.group(name, rank);
    const auto own = std::find(ranks.begin(), ranks.end(), rank);
    builder_.add_group(
        {.axis = name, .ranks = ranks, .index = static_cast<std::int32_t>(own - ranks.begin())});
  }
  watch_gradients();
  watch_units();
  const std::int64_t all_tokens = plan.accumulation * tokens_;
  if (stages_.front().first) {
    tokens_in_ = builder_.add_buffer(kTokensBuffer, BufferKind::input, DType::i32, all_tokens);
  }
  if (stages_.back().last) {
    targets_in_ = builder_.add_buffer(kTargetsBuffer, BufferKind::input, DType::i32, all_tokens);
  }
  params_ = builder_.add_buffer(kParamBuffer, BufferKind::param, plan.precision,
                                layout_.param_elements());
  grads_ = builder_.add_buffer(kGradBuffer, BufferKind::grad, DType::f32, layout_.grad_elements());
  if (plan.precision != DType::f32) {
    master_ = builder_.add_buffer(kMasterBuffer, BufferKind::optimizer, DType::f32,
                                  layout_.state_elements());
  }
  declare_optimizer_buffers();
  if (model.experts == 0) return;
  builder_.add_buffer(kAuxLossBuffer, BufferKind::scalar, DType::f32, 1);
  if (plan.routing == Routing::router) return;
  std::int64_t layers = 0;
  const std::int64_t choices = routed_ * model.top_k;  // (routed, top_k)
  for (const ModelStage& stage : stages_) layers += stage.end - stage.begin;
  const BufferSlice all =
      builder_.add_buffer(kRoutingBuffer, BufferKind::input, DType::i32, layers * choices);
  for (const ModelStage& stage : stages_) {
    for (std::int64_t layer = stage.begin; layer < stage.end; ++layer) {
      const auto before = static_cast<std::int64_t>(seeded_.size());
      seeded_[layer] = ProgramBuilder::part(all, before * choices, choices);
    }
  }
}

BufferSlice Lowering::buffer(const std::string& name, BufferKind kind, DType dtype,
                             std::int64_t elements) {
  const std::int32_t index = builder_.buffer_index(name);
  if (index < 0) return builder_.add_buffer(name, kind, dtype, elements);
  const BufferDecl& declared = builder_.program().buffers[static_cast<std::size_t>(index)];
  STEPMARK_CHECK(declared.elements == elements && declared.dtype == dtype,
                 "buffer '{}' is used with two shapes", name);
  return {.buffer = index, .offset = 0, .elements = elements};
}

BufferSlice Lowering::param(const std::string& name) {
  const Param& p = layout_.find(name);
  if (layout_.shards_params()) return unit_param(p);
  return ProgramBuilder::part(params_, p.offset, p.stored_elements());
}

BufferSlice Lowering::grad(const std::string& name) {
  const Param& p = layout_.find(name);
  if (layout_.shards_gradients()) return unit_gradient(p);
  return ProgramBuilder::part(grads_, p.offset, p.stored_elements());
}

BufferSlice Lowering::micro_slice(BufferSlice whole) const {
  return ProgramBuilder::part(whole, pass_.micro * tokens_, tokens_);
}

std::string Lowering::in_set(const std::string& name, std::int32_t set) {
  return set == 0 ? name : fmt::format("set{}.{}", set, name);
}

BufferSlice Lowering::residual(std::int64_t layer) {
  const bool received = layer == pass_.stage.begin && !pass_.stage.first;
  return buffer(in_set(fmt::format("x{}", layer), received ? pass_.entry : pass_.set),
                BufferKind::activation, plan_.precision, share_tokens_ * model_.hidden);
}

BufferSlice Lowering::gradient_at(const std::string& place) {
  const std::int64_t elements = share_tokens_ * model_.hidden;
  if (pass_.split()) return activation("d." + place, elements);
  return workspace(pass_.turn == 0 ? "dx" : "dx.next", elements);
}

BufferSlice Lowering::gradient_before(std::int64_t layer) {
  return gradient_at(fmt::format("x{}", layer));
}

BufferSlice Lowering::gradient_of(const std::string& shared, const std::string& own,
                                  std::int64_t elements) {
  return pass_.split() ? activation("d." + own, elements) : workspace(shared, elements);
}

void Lowering::norm_forward(const std::string& name, BufferSlice x, BufferSlice y) {
  const BufferSlice rstd = norm_statistic(name + ".rstd");  // (share)
  if (model_.has_bias()) {
    compute(name,
            LayerNormFwdShape{.rows = share_tokens_, .cols = model_.hidden, .eps = model_.norm_eps},
            {x, param(name + ".weight"), param(name + ".bias"), y, norm_statistic(name + ".mean"),
             rstd});  // (share)
  } else {
    compute(name,
            RmsNormFwdShape{.rows = share_tokens_, .cols = model_.hidden, .eps = model_.norm_eps},
            {x, param(name + ".weight"), y, rstd});
  }
}

void Lowering::norm_backward(const std::string& name, BufferSlice dy, BufferSlice x, BufferSlice dx,
                             bool add) {
  const std::int64_t accumulate = pass_.adds_to_norms ? 1 : 0;
  const BufferSlice rstd = norm_statistic(name + ".rstd");  // (share)
  if (model_.has_bias()) {
    compute(name + ".bwd",
            LayerNormBwdShape{.rows = share_tokens_,
                              .cols = model_.hidden,
                              .add_dx = add ? 1 : 0,
                              .accumulate = accumulate},
            {dy, x, param(name + ".weight"), norm_statistic(name + ".mean"), rstd, dx,
             grad(name + ".weight"), grad(name + ".bias")});
  } else {
    compute(name + ".bwd",
            RmsNormBwdShape{.rows = share_tokens_,
                            .cols = model_.hidden,
                            .add_dx = add ? 1 : 0,
                            .accumulate = accumulate},
            {dy, x, param(name + ".weight"), rstd, dx, grad(name + ".weight")});
  }
}

void Lowering::branch_backward(const std::string& name, BufferSlice dy, BufferSlice x,
                               BufferSlice dout, BufferSlice dx) {
  if (dx == dout) return norm_backward(name, dy, x, dx, true);
  const BufferSlice branch =
      workspace("dbranch", share_tokens_ * model_.hidden);  // (share, hidden)
  norm_backward(name, dy, x, branch, false);
  compute(name + ".bwd.residual", ResidualShape{.rows = share_tokens_, .cols = model_.hidden},
          {dout, branch, BufferSlice{}, dx});
}

void Lowering::linear_forward(const std::string& name, BufferSlice x, BufferSlice y,
                              std::int64_t tokens, std::int64_t out, std::int64_t in, bool bias) {
  compute(name, GemmShape{.m = tokens, .n = out, .k = in, .trans_b = 1, .bias = bias ? 1 : 0},
          {x, param(name + ".weight"), bias ? param(name + ".bias") : BufferSlice{}, y});
}

void Lowering::row_parallel_residual(const std::string& name, BufferSlice input, std::int64_t in,
                                     BufferSlice x, BufferSlice out) {
  const BufferSlice partial = workspace("partial", tokens_ * model_.hidden);  // (tokens, hidden)
  // The bias of a row-parallel layer is added once, after the sum over the group.
  const BufferSlice reduced = sum_of_pieces(name, partial, [&](std::int64_t n) {
    linear_forward(name, piece_of(input, n), piece_of(partial, n), piece_tokens(), model_.hidden,
                   in, false);
  });
  add_up(name, x, reduced, out, model_.has_bias() ? param(name + ".bias") : BufferSlice{});
}

void Lowering::add_up(const std::string& name, BufferSlice x, BufferSlice y, BufferSlice out,
                      BufferSlice bias) {
  compute(
      name + ".residual",
      ResidualShape{.rows = share_tokens_, .cols = model_.hidden, .bias = bias.buffer >= 0 ? 1 : 0},
      {x, y, bias, out});
}

void Lowering::linear_input_gradient(const std::string& name, BufferSlice dy, BufferSlice dx,
                                     std::int64_t tokens, std::int64_t out, std::int64_t in,
                                     bool add) {
  compute(name + ".dgrad", GemmShape{.m = tokens, .n = in, .k = out, .accumulate = add ? 1 : 0},
          {dy, param(name + ".weight"), BufferSlice{}, dx});
}

void Lowering::linear_weight_gradient(const std::string& name, BufferSlice dy, BufferSlice x,
                                      std::int64_t tokens, std::int64_t out, std::int64_t in,
                                      bool accumulate) {
  compute(name + ".wgrad",
          GemmShape{.m = out,
                    .n = in,
                    .k = tokens,
                    .trans_a = 1,
                    .accumulate = accumulate ? 1 : 0,
                    .out_f32 = 1},
          {dy, x, BufferSlice{}, grad(name + ".weight")});
}

void Lowering::bias_gradient(const std::string& name, BufferSlice dy, std::int64_t tokens,
                             std::int64_t out) {
  if (!model_.has_bias()) return;
  compute(name + ".bgrad",
          BiasGradShape{.m = tokens, .n = out, .accumulate = pass_.adds_to_weights ? 1 : 0},
          {dy, grad(name + ".bias")});
}

void Lowering::all_reduce(const std::string& label, const std::string& axis, BufferSlice x,
                          DType dtype, ReduceOp op) {
  builder_.comm(
      labelled(label), axis,
      {.verb = Verb::all_reduce, .axis = axis, .dtype = dtype, .op = op, .count = x.elements}, x,
      x);
}

void Lowering::gather_shares(const std::string& label, const std::string& axis, BufferSlice share,
                             BufferSlice whole) {
  builder_.comm(
      labelled(label + ".gather"), axis,
      {.verb = Verb::all_gather, .axis = axis, .dtype = plan_.precision, .count = share.elements},
      share, whole);
}

void Lowering::scatter_sum(const std::string& label, const std::string& axis, BufferSlice partial,
                           BufferSlice share) {
  builder_.comm(labelled(label + ".reduce_scatter"), axis,
                {.verb = Verb::reduce_scatter,
                 .axis = axis,
                 .dtype = plan_.precision,
                 .op = ReduceOp::sum,
                 .count = share.elements},
                partial, share);
}

}  // namespace stepmark
