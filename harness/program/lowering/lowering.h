// SPDX-License-Identifier: Apache-2.0
// Shared state of lowering a step: the builder, the shapes of this rank, and the few idioms that
// all parts use (linear layers and the four communication points of tensor and sequence
// parallelism). Internal to harness/program.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "harness/program/builder.h"
#include "harness/program/lowering/expert_rows.h"
#include "harness/program/lowering/pass.h"
#include "harness/program/lowering/pending.h"
#include "harness/program/step.h"
#include "harness/spec/param_layout.h"
#include "harness/spec/stages.h"
#include "harness/spec/step_groups.h"

namespace stepmark {

inline constexpr const char* kCompute = "compute";

class Lowering {
 public:
  Lowering(const Model& model, const Plan& plan, std::int32_t rank, const DeviceTraits& traits);

  // What the parts are to work on from here on.
  void begin_pass(const Pass& pass) {
    pass_ = pass;
    // What was reduced before is in the shards.
    if (reduces_every_pass()) pass_.adds_to_norms = pass_.adds_to_weights = false;
    adds_to_experts_ = holds_whole_experts() ? pass.adds_to_weights : pass_.adds_to_weights;
  }
  // By chunk, of this rank.
  [[nodiscard]] const std::vector<ModelStage>& stages() const { return stages_; }

  // Parts, in lowering/<part>.cpp. x is the residual stream, dx its gradient (updated in place).
  void embedding_forward();
  void embedding_backward();
  void attention_forward(std::int64_t layer);
  void attention_backward(std::int64_t layer);
  void mlp_forward(std::int64_t layer);
  void mlp_backward(std::int64_t layer);
  // Before the backward pass of a layer: what of its forward pass is to be done again first.
  void recompute(std::int64_t layer);
  void head_forward_backward();
  // Between neighbouring stages, in pipeline_axis.cpp. Receives what `pass` begins with, which may
  // be a later one; sends what the current one ends with. Nothing at the ends of the model. With
  // p2p=batched what a later pass begins with is received with what the current one sends.
  void receive_for(const Pass& pass);
  void send_result();
  // Says that the gradients of all parameters of a component (component_of; empty: all that are
  // left, the backward pass has ended) are complete, and issues the synchronisation of every bucket
  // that this completes, and what the optimizer can do from then on.
  void gradients_complete(const std::string& component);
  // Where gradients are sharded that is said of units, the embedding's included, after every
  // backward pass or, with grad_sync=last, after the last one.
  [[nodiscard]] bool reduces_units() const { return layout_.shards_gradients(); }
  [[nodiscard]] bool reduces_every_pass() const { return plan_.reduces_every_pass(); }
  // With ZeRO-3: which parameters all passes will use, and that those of a part ("embedding",
  // "layer3", "head") are used from here on; the next part's are gathered meanwhile. In units.cpp.
  void plan_gathers(std::span<const Pass> passes);
  void enter(const std::string& part);
  // Before the first pass: what the step before has left to gather (data_axis.cpp).
  void begin_step();
  // What is left to do for the optimizer after the backward pass.
  void optimizer();

  [[nodiscard]] Program take() && { return std::move(builder_).take(); }
  [[nodiscard]] const Model& model() const { return model_; }
  [[nodiscard]] const Plan& plan() const { return plan_; }

  ProgramBuilder& builder() { return builder_; }

 private:
  // --- buffers -------------------------------------------------------------------------------
  // Shapes are in a comment at each, row-major: `tokens` are those of a micro-batch, `share` those
  // of them that are this rank's in sequence-parallel regions, all widths this rank's.
  BufferSlice activation(const std::string& name, std::int64_t elements) {
    return buffer(in_set(name), BufferKind::activation, plan_.precision, elements);
  }
  BufferSlice statistic(const std::string& name, std::int64_t elements) {
    return buffer(in_set(name), BufferKind::activation, DType::f32, elements);
  }
  // What a layer's forward pass computes and its backward pass reads ("layer3.qkv"): an activation,
  // or, where it is computed again, a place that all layers use in turn. In recompute.cpp.
  BufferSlice saved(const std::string& name, std::int64_t elements) {
    return saved(name, elements, plan_.precision);
  }
  BufferSlice saved(const std::string& name, std::int64_t elements, DType dtype);
  [[nodiscard]] bool is_kept(const std::string& of_layer) const;
  [[nodiscard]] std::string in_set(const std::string& name) const {
    return in_set(name, pass_.set);
  }
  [[nodiscard]] static std::string in_set(const std::string& name, std::int32_t set);
  // The residual stream in front of a layer: (share, hidden).
  BufferSlice residual(std::int64_t layer);
  // Its gradient at a place ("x3": in front of layer 3; "layer3.mid"): one that all places of a
  // pass update in turn, or one of each where weight gradients are computed later.
  BufferSlice gradient_at(const std::string& place);
  BufferSlice gradient_before(std::int64_t layer);
  // A gradient that the weight gradients need: workspace in a whole pass, else kept for them.
  BufferSlice gradient_of(const std::string& shared, const std::string& own, std::int64_t elements);
  BufferSlice workspace(const std::string& name, std::int64_t elements) {
    return buffer(name, BufferKind::workspace, plan_.precision, elements);
  }
  // Declares on first use, looks up afterwards: micro-steps and layers reuse what they name alike.
  BufferSlice buffer(const std::string& name, BufferKind kind, DType dtype, std::int64_t elements);
  // As stored, padding included.
  BufferSlice param(const std::string& name);
  BufferSlice grad(const std::string& name);
  // Rows of this rank's share of the tokens that follow each other in a sequence, and the position
  // of the first.
  struct PositionRun {
    std::int64_t row, rows, position;
  };
  [[nodiscard]] std::vector<PositionRun> position_runs() const;
  // The rows of a table that a token may mean.
  [[nodiscard]] BufferSlice table_rows(BufferSlice table) const {
    return ProgramBuilder::part(table, 0, shards_.vocab.count * model_.hidden);
  }
  // This micro-batch's of all tokens.
  [[nodiscard]] BufferSlice micro_slice(BufferSlice whole) const;

  // --- idioms --------------------------------------------------------------------------------
  template <class Shape>
  void compute(const std::string& label, const Shape& shape,
               const std::vector<BufferSlice>& operands) {
    kernel(kCompute, label, shape, operands);
  }
  template <class Shape>
  void kernel(const char* stream, const std::string& label, const Shape& shape,
              const std::vector<BufferSlice>& operands) {
    builder_.kernel(labelled(label), stream, pack(shape, plan_.precision), operands);
  }
  // "layer3.attn.qkv", and "layer3.recompute.attn.qkv" while a layer is computed again.
  [[nodiscard]] std::string labelled(const std::string& label) const;
  // Lowers what `ops` does as a recomputation.
  template <class Ops>
  void again(const Ops& ops) {
    again_ = true;
    ops();
    again_ = false;
  }
  // Where weight gradients read what a selective recomputation has dropped; else nothing.
  void norm_again(const std::string& name, BufferSlice x, BufferSlice y);
  void activate_again(const std::string& name, BufferSlice up, BufferSlice active) {
    activate_again(name, up, active, tokens_, ffn_);
  }
  void activate_again(const std::string& name, BufferSlice up, BufferSlice active,
                      std::int64_t rows, std::int64_t width);
  // Of some rows of both.
  void activate(const std::string& name, BufferSlice up, BufferSlice active) {
    activate(name, up, active, active.elements / ffn_, ffn_);
  }
  void activate(const std::string& name, BufferSlice up, BufferSlice active, std::int64_t rows,
                std::int64_t width);
  void activate_backward(const std::string& name, BufferSlice dactive, BufferSlice up,
                         BufferSlice dup);
  // Mean or inverse root-mean-square of each row, fp32: (share).
  BufferSlice norm_statistic(const std::string& name);
  void norm_forward(const std::string& name, BufferSlice x, BufferSlice y);
  // dx [+]= gradient through the norm. add: the residual branch's gradient is already in dx.
  void norm_backward(const std::string& name, BufferSlice dy, BufferSlice x, BufferSlice dx,
                     bool add);
  // dx = dout + gradient through the norm of a branch; dx may be dout.
  void branch_backward(const std::string& name, BufferSlice dy, BufferSlice x, BufferSlice dout,
                       BufferSlice dx);
  // y (tokens, out) = x weight^T + bias.
  void linear_forward(const std::string& name, BufferSlice x, BufferSlice y, std::int64_t tokens,
                      std::int64_t out, std::int64_t in, bool bias);
  // out = x + (input weight^T summed over the group) + bias: how both blocks end. Rows of `input`
  // are in the order of pieces.
  void row_parallel_residual(const std::string& name, BufferSlice input, std::int64_t in,
                             BufferSlice x, BufferSlice out);
  // dx [+]= dy weight; add: another layer of the same tokens has left some there.
  void linear_input_gradient(const std::string& name, BufferSlice dy, BufferSlice dx,
                             std::int64_t tokens, std::int64_t out, std::int64_t in,
                             bool add = false);
  void linear_weight_gradient(const std::string& name, BufferSlice dy, BufferSlice x,
                              std::int64_t tokens, std::int64_t out, std::int64_t in) {
    linear_weight_gradient(name, dy, x, tokens, out, in, pass_.adds_to_weights);
  }
  void linear_weight_gradient(const std::string& name, BufferSlice dy, BufferSlice x,
                              std::int64_t tokens, std::int64_t out, std::int64_t in,
                              bool accumulate);
  // Tokens [begin, end) of a micro-step through head and loss, forward and backward.
  void head_piece(std::int64_t begin, std::int64_t end, BufferSlice whole, BufferSlice dwhole);
  // logits become their gradient; first: the loss is written, not added to.
  void whole_loss(BufferSlice logits, BufferSlice targets, bool first);
  void sharded_loss(BufferSlice logits, BufferSlice targets, bool first);
  BufferSlice loss_buffer() { return buffer(kLossBuffer, BufferKind::scalar, DType::f32, 1); }
  void bias_gradient(const std::string& name, BufferSlice dy, std::int64_t tokens,
                     std::int64_t out);

  void mlp_of_experts_backward(std::int64_t layer);  // mlp.cpp
  BufferSlice mlp_of_experts_input_gradient(const std::string& name);
  // out = x + y (+ bias, which may be absent).
  void add_up(const std::string& name, BufferSlice x, BufferSlice y, BufferSlice out,
              BufferSlice bias = {});
  // --- experts, in expert_axis.cpp ------------------------------------------------------------
  // An MLP of experts in place of that of mlp_forward, without its residual sum: from `whole`, the
  // tokens that this rank routes (routed, hidden), into `out`, which is a part of the result where
  // experts are split.
  void experts_forward(const std::string& layer, BufferSlice whole, BufferSlice out);
  // Of dy (routed, hidden), before what the weight gradients read is there again.
  void experts_backward(const std::string& layer, BufferSlice dy);
  // The rest: the gradient of the normed tokens into dwhole, and what weight gradients need these
  // for.
  void experts_input_gradient(const std::string& layer, BufferSlice dwhole);
  void experts_weight_gradient(const std::string& layer, BufferSlice whole);
  [[nodiscard]] const ExpertRows& expert_rows(std::int64_t layer);
  // Experts' matrix `name` ("up"; n, k) on their rows, and the gradients of these and of the matrix
  // (m, n), in expert_gemms.cpp.
  void multiply_rows(const std::string& layer, const char* name, BufferSlice rows, BufferSlice out,
                     std::int64_t n, std::int64_t k, bool of_gradient);
  void experts_matrix_gradient(const std::string& layer, const char* name, BufferSlice dy,
                               BufferSlice x, std::int64_t m, std::int64_t n);
  // Of as many rows as the layer has; where layers use a place in turn, it has room for the most.
  [[nodiscard]] std::int64_t most_expert_rows();
  BufferSlice saved_rows(const std::string& name, std::int64_t rows, std::int64_t width);
  BufferSlice row_workspace(const std::string& name, std::int64_t rows, std::int64_t width);
  BufferSlice row_gradient(const std::string& shared, const std::string& own, std::int64_t rows,
                           std::int64_t width);
  BufferSlice chosen_experts(const std::string& layer);
  void route(const std::string& layer, BufferSlice whole);
  // Rows of tokens from this rank to those of their experts, sorted by expert there; and back.
  void dispatch(const std::string& label, const std::string& layer, BufferSlice sent,
                BufferSlice sorted, BufferSlice totals);
  void combine(const std::string& label, const std::string& layer, BufferSlice sorted,
               BufferSlice returned);
  void exchange_rows(const std::string& label, const std::vector<std::int64_t>& send,
                     const std::vector<std::int64_t>& receive, BufferSlice from, BufferSlice to);
  // By expert of this rank: how many rows.
  BufferSlice expert_totals(const std::string& layer);
  BufferSlice rows_of_experts(const std::string& layer);
  // Where experts are split over fewer ranks than all else: the tokens of the ranks that share
  // them (routed, hidden), of each its share, and this rank's share of the sum over these ranks.
  BufferSlice gather_routed(const std::string& label, BufferSlice share, const std::string& into);
  BufferSlice sum_routed(const std::string& label, BufferSlice routed);
  // The expert of all tokens, in shared_expert.cpp: (tokens, hidden) in and out, of which it gives
  // a part where it is split; into `out`, or added to it. As above otherwise.
  void shared_expert(const std::string& layer, BufferSlice whole, BufferSlice out, bool add);
  void shared_backward(const std::string& layer, BufferSlice dy);
  void shared_input_gradient(const std::string& layer, BufferSlice dwhole, bool add);
  void shared_weight_gradient(const std::string& layer, BufferSlice whole);
  BufferSlice shared_gradient(const std::string& layer);  // of its up projection
  [[nodiscard]] bool has_shared_expert() const { return model_.shared_ffn > 0; }
  BufferSlice router_gradient(const std::string& layer);
  void sum_aux_loss();
  // Over the ranks that share experts, where tensor-parallel ranks together lack some.
  void sum_over_experts(const std::string& label, BufferSlice x);
  [[nodiscard]] bool exchanges_rows() const { return mesh_.expert_ways() > 1; }
  BufferSlice integers(const std::string& name, std::int64_t elements) {
    return buffer(name, BufferKind::workspace, DType::i32, elements);
  }

  // --- attention ------------------------------------------------------------------------------
  // (tokens, qkv width) of a layer ("layer3.").
  BufferSlice projected(const std::string& layer);
  // Query and key heads before rotary positions, where the model norms them.
  void norm_heads(const std::string& layer, BufferSlice qkv);
  void norm_heads_backward(const std::string& layer, BufferSlice dqkv);
  void rotate(const std::string& label, BufferSlice qkv, bool inverse);
  // Where ranks share sequences, in context_axis.cpp. Operands as of the ops of attention; `name`
  // is the label of the op that they stand for.
  void context_attention_forward(const std::string& name, BufferSlice qkv, BufferSlice attended,
                                 BufferSlice lse);
  // What may travel before the gradient of the result is there.
  void begin_context_backward(const std::string& name, BufferSlice qkv);
  void context_attention_backward(const std::string& name, BufferSlice dattended, BufferSlice qkv,
                                  BufferSlice attended, BufferSlice lse, BufferSlice dqkv);
  void rotate_chunks(const std::string& label, BufferSlice qkv, bool inverse);
  void ring_forward(const std::string& name, BufferSlice qkv, BufferSlice attended,
                    BufferSlice lse);
  // saved: dattended, qkv, attended, lse.
  void ring_backward(const std::string& name, const std::array<BufferSlice, 4>& saved,
                     BufferSlice dq, BufferSlice dkv);
  void heads_backward(const std::string& name, BufferSlice dattended, BufferSlice lse,
                      BufferSlice dqkv);
  template <class Shape>
  [[nodiscard]] Shape chunks_shape(std::int64_t key_pair, std::int64_t key_pairs,
                                   bool accumulate) const;
  template <class Shape>
  [[nodiscard]] Shape heads_share_shape() const;
  BufferSlice split_kv(const std::string& label, BufferSlice qkv, const std::string& into);
  BufferSlice gather_kv(const std::string& label, BufferSlice qkv);
  void ring_hop(const std::string& label, DType dtype, BufferSlice to_next,
                BufferSlice from_before);
  // x, all heads of this rank's tokens, becomes `whole`, its share of the heads of whole sequences;
  // `back`: the other way round.
  void exchange_heads(const std::string& label, BufferSlice x, std::int64_t kv_heads,
                      BufferSlice whole, bool back);
  [[nodiscard]] std::int64_t kv_width() const { return 2 * kv_heads_ * model_.head_dim; }

  // --- between the ranks that a layer is split over, in tensor_axis.cpp ----------------------
  // Whole tokens from this rank's share (x itself without sequence parallelism).
  // The workspace `into` receives them.
  BufferSlice gather_tokens(const std::string& label, BufferSlice x, const std::string& into);
  // The same piece by piece (tp_chunks), each beside what the one before is used for; rows are in
  // the order of pieces. Without pieces there is one of them, all of it.
  BufferSlice gather_pieces(const std::string& label, BufferSlice x, const std::string& into);
  void gather_pieces_into(const std::string& label, BufferSlice x, BufferSlice whole);
  // Lowers `work` of each piece; its ops' labels say which it is.
  template <class Work>
  void for_each_piece(const Work& work) {
    for (std::int64_t n = 0; n < plan_.tp_chunks; ++n) {
      if (plan_.tp_chunks > 1) piece_ = n;
      work(n);
    }
    piece_ = -1;
  }
  // The n-th of a share, or of whole tokens in the order of pieces.
  [[nodiscard]] BufferSlice piece_of(BufferSlice x, std::int64_t n) const;
  [[nodiscard]] std::int64_t piece_tokens() const { return tokens_ / plan_.tp_chunks; }
  // A workspace for x in the order of pieces, and x put into it; without pieces x itself.
  BufferSlice as_pieces(BufferSlice x, const std::string& name);
  BufferSlice in_pieces(const std::string& label, BufferSlice x, const std::string& name);
  // From the order of pieces to that of tokens, or back.
  void reorder(const std::string& label, BufferSlice from, BufferSlice to, bool tokens);
  // This rank's share of the sum over the group of what `gemm` computes of each piece of `partial`.
  template <class Gemm>
  BufferSlice sum_of_pieces(const std::string& label, BufferSlice partial, const Gemm& gemm) {
    const BufferSlice share = share_of(partial);
    for_each_piece([&](std::int64_t n) {
      gemm(n);
      sum_tokens(label, piece_of(partial, n), piece_of(share, n));
    });
    return share;
  }
  BufferSlice share_of(BufferSlice partial);
  // A gradient, gathered by pieces or whole, which is kept where weight gradients are computed
  // later.
  BufferSlice gather_gradient(const std::string& label, BufferSlice d, const std::string& place,
                              bool pieces = true);
  // This rank's share of the sum over the group of `partial` (which is overwritten).
  BufferSlice reduce_tokens(const std::string& label, BufferSlice partial);
  // The same into `share`, which without sequence parallelism is `partial` itself.
  void sum_tokens(const std::string& label, BufferSlice partial, BufferSlice share);
  // `inputs` computes a linear layer's input gradient, which such a sum is of, `weights` its
  // weights': the sum runs beside that, or, with tp_overlap=off, behind it, where nothing is left
  // to run beside. What of both the pass computes, or `both`.
  template <class Inputs, class Weights>
  void beside_sums(const Inputs& inputs, const Weights& weights, bool both = false) {
    if ((both || pass_.inputs) && plan_.tp_overlap) inputs();
    if (both || pass_.weights) weights();
    if ((both || pass_.inputs) && !plan_.tp_overlap) inputs();
  }
  // Of what ranks that share sequences count, in fp32; nothing where each has whole ones.
  void sum_parts(const std::string& label, BufferSlice x);  // context_axis.cpp
  // Of what each of them has of its own shard; nothing where a layer is whole.
  void sum_shards(const std::string& label, BufferSlice x, DType dtype,
                  ReduceOp op = ReduceOp::sum);
  // Of the gradients of a layer's keys and values, over the ranks that share its heads, each of
  // which has those of its own queries. Once they have been added up on this rank.
  void sum_shared_heads(const std::string& name);
  // Messages to or from a neighbour; a call has one of them or one of either.
  struct StageMessage {
    std::string label, group;
    std::int32_t peer = -1;
    bool forward = false;
    BufferSlice x;
  };
  [[nodiscard]] bool batches_messages() const { return plan_.p2p == StageMessages::batched; }
  [[nodiscard]] StageMessage message(Direction direction, bool sends, BufferSlice x) const;
  std::optional<StageMessage> received_by(const Pass& pass);
  std::optional<StageMessage> sent();
  void exchange(const std::optional<StageMessage>& out, const std::optional<StageMessage>& in);
  void all_reduce(const std::string& label, const std::string& axis, BufferSlice x, DType dtype,
                  ReduceOp op);
  // Of tokens over ranks that have a share of them each: whole from their shares
  // ("<label>.gather"), and this rank's share of the sum of what each has of all
  // ("<label>.reduce_scatter").
  void gather_shares(const std::string& label, const std::string& axis, BufferSlice share,
                     BufferSlice whole);
  void scatter_sum(const std::string& label, const std::string& axis, BufferSlice partial,
                   BufferSlice share);

  // --- gradients and optimizer ---------------------------------------------------------------
  void watch_gradients();
  void declare_optimizer_buffers();
  // Between ranks that see other tokens, in data_axis.cpp.
  void synchronise(const ParamLayout::Bucket& bucket);
  // One sum of gradients, in the type in which they travel: all of it (`own` is `whole`), or the
  // rank's shard.
  void reduce(const std::string& label, const GradientSum& sum, BufferSlice whole, BufferSlice own);
  void gather_updated();
  void gather_params(const std::string& label, const ParamLayout::Bucket& bucket,
                     BufferSlice whole);
  [[nodiscard]] bool gathers_ahead() const {
    return plan_.gather == ParamGather::forward && layout_.state().ways > 1;
  }
  // Where gradients and parameters of what this rank updates lie.
  [[nodiscard]] BufferSlice own_gradient(const ParamLayout::Range& own) const {
    return ProgramBuilder::part(grads_, layout_.shards_gradients() ? own.state : own.begin,
                                own.elements());
  }
  [[nodiscard]] BufferSlice own_param(const ParamLayout::Range& own) const {
    return ProgramBuilder::part(params_, layout_.shards_params() ? own.state : own.begin,
                                own.elements());
  }
  // Of units, in units.cpp.
  void watch_units();
  void unit_complete(const std::string& component);
  void reduce_unit(std::size_t index);
  [[nodiscard]] std::int64_t section_elements(std::size_t index, const ParamSection& section) const;
  void zero_gaps(std::size_t index, BufferSlice whole);
  [[nodiscard]] std::int64_t written_elements(const Param& param) const;
  BufferSlice unit_buffer(const std::string& what, const ParamLayout::Bucket& unit, bool in_turns,
                          std::int32_t& turn, DType dtype);
  // Of experts that lie in units of their own.
  [[nodiscard]] bool is_of_experts(const ParamLayout::Bucket& unit) const {
    return layout_.sections()[unit.section].expert;
  }
  [[nodiscard]] UnitTurns& turns_of(const ParamLayout::Bucket& unit) {
    return turns_[is_of_experts(unit) ? 1 : 0];
  }
  // Such units where no other rank has the same experts: they are never anything but whole.
  [[nodiscard]] bool holds_whole_experts() const;
  BufferSlice unit_gradient(const Param& param);
  void scatter_unit(const std::string& name, std::size_t index, const GradientSum& scatter);
  [[nodiscard]] BufferSlice unit_param(const Param& param) const;
  [[nodiscard]] std::vector<std::size_t> units_in_use(const std::string& part) const;
  void gather_for(UnitUse& use);
  void sum_over_state(const std::string& label, BufferSlice x);
  void sum_loss();
  // Over all ranks that share a copy of the model, of what each has of its part.
  void sum_over_model(const std::string& label, BufferSlice x, DType dtype);  // pipeline_axis.cpp
  void range_final(std::size_t range, bool backward_ended);
  void add_squares(const char* stream, std::size_t range);
  void find_scale();
  // AdamW of what this rank updates of the buckets [begin, end).
  void update(const char* stream, const std::string& label, std::size_t begin, std::size_t end);
  // The same in as few pieces as lie in a row: one, or a shard of each bucket, or what such a shard
  // has of each section.
  struct Piece {
    ParamLayout::Range own;
    std::size_t section = 0;
    std::size_t bucket = 0;
    bool sharded = false;
    std::string name;  // of a shard: its bucket's bounds, or its unit
  };
  [[nodiscard]] std::vector<Piece> pieces_of(std::size_t begin, std::size_t end) const;
  void update_range(const char* stream, std::size_t range);
  [[nodiscard]] bool overlapped() const { return plan_.optimizer_overlap == OptimizerOverlap::on; }

  Model model_;
  Plan plan_;
  StepMesh mesh_;
  std::int32_t rank_;
  std::vector<ModelStage> stages_;
  Shards shards_;
  ParamLayout layout_;
  ProgramBuilder builder_;
  std::vector<PendingBucket> buckets_;  // by bucket of the layout
  // By unit of the layout, where there are units.
  std::vector<PendingUnit> units_;
  // By component: how many of its parameters lie in which units.
  std::map<std::string, std::map<std::size_t, std::int64_t>> units_of_;
  std::vector<UnitUse> uses_;
  std::size_t next_use_ = 0;
  std::array<UnitTurns, 2> turns_;
  std::map<std::string, std::int64_t> largest_sum_;  // elements of a bucket, by axis
  std::vector<UpdateRange> updates_;
  // Indices of ranges: in the order in which they are treated, and those that wait for the end.
  std::vector<std::size_t> final_, late_;
  std::vector<std::size_t> ungathered_;  // buckets: their shards are updated, the rest is old
  bool step_counted_ = false;
  Pass pass_;
  bool adds_to_experts_ = false;  // as Pass::adds_to_weights
  bool received_ = false;         // what the first pass begins with
  std::optional<Pass> ahead_;     // whose message comes with the next one sent
  std::int64_t piece_ = -1;       // of tokens, whose ops are lowered; -1: they are of all
  bool again_ = false;            // a layer's forward pass is lowered for the second time
  // By component: the bucket of each of its parameters, until their gradients are complete.
  std::map<std::string, std::vector<std::size_t>> incomplete_;

  std::int64_t tokens_;        // of a micro-step that this rank and its tensor-parallel ones see
  std::int64_t share_tokens_;  // of them on this rank in the sequence-parallel regions
  std::int64_t heads_, kv_heads_, q_width_, qkv_width_;  // this rank's
  // With padding: its weights are zero, so are its activations and their gradients, hence its
  // weights' gradients, and AdamW leaves a zero with a gradient of zero where it is.
  std::int64_t ffn_, mlp_in_;
  std::int64_t shared_ffn_ = 0;  // with padding
  std::int64_t routed_;          // tokens that this rank routes, where there are experts
  std::map<std::int64_t, ExpertRows> expert_rows_;  // by layer
  std::map<std::int64_t, BufferSlice> seeded_;      // choices, by layer
  bool aux_loss_written_ = false;
  std::int64_t logits_width_;  // shards_.vocab with its padding: what GEMMs compute
  BufferSlice params_, grads_, master_, tokens_in_, targets_in_;
  BufferSlice gathered_kv_;
  BufferSlice moment1_, moment2_, step_count_, square_sum_, norm_and_scale_;
};

}  // namespace stepmark
