// SPDX-License-Identifier: Apache-2.0
// An MLP of experts, and what ranks that share them say to each other. Each token's row goes to the
// ranks of its experts, where rows are sorted by expert and multiplied with its matrices, and comes
// back; its rows are then added with the router's weights where the token came from. The backward
// pass goes the same ways with gradients.
//
// What the ranks exchange has sizes that are known before the step. Where a seed routes, these are
// the rows that are due. Where the router does, each rank has room for all that another one may
// send it, and only the counts that travel ahead say how many rows of it are filled: no token is
// dropped and no host waits for a device.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "harness/program/lowering/lowering.h"
#include "harness/program/routing.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/experts.h"
#include "kernels/ops/gemm.h"
#include "kernels/ops/router.h"

namespace stepmark {
namespace {

constexpr const char* kAxis = "ep";
constexpr const char* kTensorAxis = "etp";

// Of counts by expert what lies in `ways` equal blocks of them.
std::vector<std::int64_t> by_rank(const std::vector<std::int64_t>& counts, std::int64_t ways) {
  std::vector<std::int64_t> sums;
  const auto of_rank = static_cast<std::int64_t>(counts.size()) / ways;
  for (auto at = counts.begin(); at != counts.end(); at += of_rank) {
    sums.push_back(std::accumulate(at, at + of_rank, std::int64_t{0}));
  }
  return sums;
}

}  // namespace

const ExpertRows& Lowering::expert_rows(std::int64_t layer) {
  const bool seeded = plan_.routing != Routing::router;
  const auto [found, fresh] = expert_rows_.try_emplace(seeded ? layer : 0);
  ExpertRows& rows = found->second;
  if (!fresh) return rows;
  const std::int64_t choices = routed_ * model_.top_k, ways = mesh_.expert_ways();
  rows.slots = rows.rows = rows.expected = choices;
  if (!seeded) {
    if (!exchanges_rows()) return rows;
    rows.capacity = routed_ * std::min(model_.top_k, shards_.experts);
    rows.slots = rows.rows = ways * rows.capacity;
    rows.send.assign(static_cast<std::size_t>(ways), rows.capacity);
    rows.receive = rows.send;
    return rows;
  }
  const std::vector<std::int32_t> all = seeded_choices(model_, plan_, layer);
  const auto own = static_cast<std::size_t>(mesh_.expert_part(rank_));
  const auto begin = static_cast<std::ptrdiff_t>(own) * shards_.experts;
  rows.of_expert.assign(static_cast<std::size_t>(shards_.experts), 0);
  // Ranks that see the same positions send the same.
  std::map<std::pair<std::int32_t, std::int64_t>, std::vector<std::int64_t>> counts_of_positions;
  for (const std::int32_t rank : mesh_.group(rank_, StepGroup::expert)) {
    auto& counts =
        counts_of_positions[{mesh_.context_part(rank), routed_tokens(plan_, rank).first}];
    if (counts.empty()) {
      counts = counts_of(choices_of_rank(all, model_, plan_, rank), model_.experts);
    }
    for (std::int64_t e = 0; e < shards_.experts; ++e) {
      rows.of_expert[static_cast<std::size_t>(e)] += counts[static_cast<std::size_t>(begin + e)];
    }
    const auto sent = by_rank(counts, ways);
    rows.receive.push_back(sent[own]);
    if (rank == rank_) rows.send = sent;
  }
  rows.rows = std::accumulate(rows.receive.begin(), rows.receive.end(), std::int64_t{0});
  rows.expected = rows.rows;
  return rows;
}

std::int64_t Lowering::most_expert_rows() {
  std::int64_t most = 1;
  for (const ModelStage& stage : stages_) {
    for (std::int64_t layer = stage.begin; layer < stage.end; ++layer) {
      most = std::max(most, expert_rows(layer).rows);
    }
  }
  return most;
}

BufferSlice Lowering::saved_rows(const std::string& name, std::int64_t rows, std::int64_t width) {
  const bool kept = is_kept(name.substr(name.find('.') + 1));
  const std::int64_t most = kept ? std::max<std::int64_t>(1, rows) : most_expert_rows();
  return ProgramBuilder::part(saved(name, most * width), 0, rows * width);
}

BufferSlice Lowering::row_workspace(const std::string& name, std::int64_t rows,
                                    std::int64_t width) {
  return ProgramBuilder::part(workspace(name, most_expert_rows() * width), 0, rows * width);
}

BufferSlice Lowering::row_gradient(const std::string& shared, const std::string& own,
                                   std::int64_t rows, std::int64_t width) {
  if (!pass_.split()) return row_workspace(shared, rows, width);
  const std::int64_t most = std::max<std::int64_t>(1, rows);
  return ProgramBuilder::part(activation("d." + own, most * width), 0, rows * width);
}

BufferSlice Lowering::chosen_experts(const std::string& layer) {
  if (plan_.routing != Routing::router) return seeded_.at(layer_number(layer));
  return saved(layer + "chosen", routed_ * model_.top_k, DType::i32);  // (routed, top_k)
}

BufferSlice Lowering::expert_totals(const std::string& layer) {
  return saved(layer + (exchanges_rows() ? "totals" : "counts"), shards_.experts, DType::i32);
}

BufferSlice Lowering::rows_of_experts(const std::string& layer) {
  return saved_rows(layer + "rows", expert_rows(layer_number(layer)).rows, model_.hidden);
}

// Logits (routed, experts), choices and their weights (routed, top_k), and how often each
// sequence's tokens have chosen each expert.
void Lowering::route(const std::string& layer, BufferSlice whole) {
  const std::int64_t experts = model_.experts, top_k = model_.top_k;
  const BufferSlice logits = saved(layer + "logits", routed_ * experts, DType::f32);
  compute(layer + "router",
          GemmShape{.m = routed_, .n = experts, .k = model_.hidden, .trans_b = 1, .out_f32 = 1},
          {whole, param(layer + "router.weight"), BufferSlice{}, logits});
  const BufferSlice chosen = chosen_experts(layer);
  if (plan_.routing == Routing::router) {
    compute(layer + "router.top_k",
            RouterTopKShape{.tokens = routed_, .experts = experts, .top_k = top_k},
            {logits, chosen});
  }
  const BufferSlice hits =  // (micro-batch, experts)
      saved(layer + "hits", plan_.micro_batch * experts, DType::f32);
  compute(layer + "router.weights",
          RouterWeightsShape{.tokens = routed_,
                             .experts = experts,
                             .top_k = top_k,
                             .sequences = plan_.micro_batch,
                             .seq = plan_.rank_seq(),
                             .first = routed_tokens(plan_, rank_).first,
                             .renormalise = model_.renormalise ? 1 : 0},
          {logits, chosen, saved(layer + "weights", routed_ * top_k, DType::f32), hits});
  if (model_.aux_loss == 0) return;
  if (plan_.routes_shares()) sum_shards(layer + "router.hits.reduce", hits, DType::f32);
  sum_parts(layer + "router.hits.parts", hits);
}

void Lowering::exchange_rows(const std::string& label, const std::vector<std::int64_t>& send,
                             const std::vector<std::int64_t>& receive, BufferSlice from,
                             BufferSlice to) {
  CommShape shape{.verb = Verb::all_to_all_v, .axis = kAxis, .dtype = plan_.precision};
  for (const std::int64_t rows : send) shape.send_counts.push_back(rows * model_.hidden);
  for (const std::int64_t rows : receive) shape.recv_counts.push_back(rows * model_.hidden);
  builder_.comm(labelled(label), kAxis, shape, from, to);
}

void Lowering::dispatch(const std::string& label, const std::string& layer, BufferSlice sent,
                        BufferSlice sorted, BufferSlice totals) {
  const ExpertRows& rows = expert_rows(layer_number(layer));
  const BufferSlice arrived = row_workspace("experts.arrived", rows.rows, model_.hidden);
  exchange_rows(label, rows.send, rows.receive, sent, arrived);
  compute(label + ".sort",
          ExpertsSortShape{.ranks = mesh_.expert_ways(),
                           .experts = shards_.experts,
                           .width = model_.hidden,
                           .capacity = rows.capacity,
                           .rows = rows.rows},
          {arrived, saved(layer + "counts", model_.experts, DType::i32), sorted, totals});
}

void Lowering::combine(const std::string& label, const std::string& layer, BufferSlice sorted,
                       BufferSlice returned) {
  const ExpertRows& rows = expert_rows(layer_number(layer));
  const BufferSlice arrived = row_workspace("experts.arrived", rows.rows, model_.hidden);
  compute(label + ".sort",
          ExpertsSortShape{.ranks = mesh_.expert_ways(),
                           .experts = shards_.experts,
                           .width = model_.hidden,
                           .capacity = rows.capacity,
                           .rows = rows.rows,
                           .inverse = 1},
          {sorted, saved(layer + "counts", model_.experts, DType::i32), arrived, BufferSlice{}});
  exchange_rows(label, rows.receive, rows.send, arrived, returned);
}

void Lowering::experts_forward(const std::string& layer, BufferSlice whole, BufferSlice out) {
  const ExpertRows& rows = expert_rows(layer_number(layer));
  const std::int64_t hidden = model_.hidden, choices = routed_ * model_.top_k;
  const bool away = exchanges_rows();
  route(layer, whole);
  const BufferSlice sorted = rows_of_experts(layer);  // (rows, hidden)
  const BufferSlice sent = away ? workspace("experts.sent", rows.slots * hidden) : sorted;
  const BufferSlice places = saved(layer + "places", choices, DType::i32);  // (routed, top_k)
  const BufferSlice totals = expert_totals(layer);                          // (experts of the rank)
  const BufferSlice counts = away ? integers("experts.counts", model_.experts) : totals;
  compute(layer + "experts.permute",
          ExpertsPermuteShape{.tokens = routed_,
                              .top_k = model_.top_k,
                              .width = hidden,
                              .experts = model_.experts,
                              .ranks = mesh_.expert_ways(),
                              .capacity = rows.capacity},
          {whole, chosen_experts(layer), sent, places, counts});
  if (away) {
    // Of this rank's experts, by rank that rows come from.
    const BufferSlice arrive = saved(layer + "counts", model_.experts, DType::i32);
    builder_.comm(
        labelled(layer + "experts.counts"), kAxis,
        {.verb = Verb::all_to_all, .axis = kAxis, .dtype = DType::i32, .count = shards_.experts},
        counts, arrive);
    dispatch(layer + "experts.dispatch", layer, sent, sorted, totals);
  }
  const BufferSlice up = saved_rows(layer + "up", rows.rows, mlp_in_);          // (rows, MLP in)
  const BufferSlice active = saved_rows(layer + "active", rows.rows, ffn_);     // (rows, MLP width)
  const BufferSlice returned = saved(layer + "returned", rows.slots * hidden);  // (slots, hidden)
  const BufferSlice down = away ? row_workspace("experts.down", rows.rows, hidden) : returned;
  multiply_rows(layer, "up", sorted, up, mlp_in_, hidden, /*of_gradient=*/false);
  activate(layer, up, active, rows.rows, ffn_);
  multiply_rows(layer, "down", active, down, hidden, ffn_, /*of_gradient=*/false);
  if (away) combine(layer + "experts.combine", layer, down, returned);
  compute(layer + "experts.unpermute",
          ExpertsUnpermuteShape{.tokens = routed_,
                                .top_k = model_.top_k,
                                .width = hidden,
                                .slots = rows.slots,
                                .weighted = 1},
          {returned, places, saved(layer + "weights", choices, DType::f32), out});
}

BufferSlice Lowering::router_gradient(const std::string& layer) {
  return gradient_of("router.dlogits", layer + "logits", routed_ * model_.experts);
}

void Lowering::experts_backward(const std::string& layer, BufferSlice dy) {
  const ExpertRows& rows = expert_rows(layer_number(layer));
  const std::int64_t hidden = model_.hidden, choices = routed_ * model_.top_k;
  const bool away = exchanges_rows();
  const BufferSlice up = saved_rows(layer + "up", rows.rows, mlp_in_);
  const BufferSlice active = saved_rows(layer + "active", rows.rows, ffn_);
  const BufferSlice drows =  // (rows, hidden)
      row_gradient("experts.drows", layer + "rows", rows.rows, hidden);
  const BufferSlice dup = row_gradient("dup", layer + "up", rows.rows, mlp_in_);
  if (pass_.inputs) {
    const BufferSlice dsent = away ? workspace("experts.sent", rows.slots * hidden) : drows;
    const BufferSlice dweights = buffer("experts.dweights", BufferKind::workspace, DType::f32,
                                        choices);  // (routed, top_k)
    compute(layer + "experts.unpermute.bwd",
            ExpertsUnpermuteBwdShape{
                .tokens = routed_, .top_k = model_.top_k, .width = hidden, .slots = rows.slots},
            {dy, saved(layer + "returned", rows.slots * hidden),
             saved(layer + "places", choices, DType::i32),
             saved(layer + "weights", choices, DType::f32), dsent, dweights});
    if (away) {
      dispatch(layer + "experts.dispatch.bwd", layer, dsent, drows,
               integers("experts.totals", shards_.experts));
    }
    // Every rank that routes the same tokens adds its part of the loss; sums over shares have
    // counted each token as often.
    const auto alike = static_cast<double>(plan_.expert_tensor());
    const double parts = plan_.routes_shares() ? alike * alike : alike;
    const auto seq = static_cast<double>(plan_.seq);
    compute(layer + "router.bwd",
            RouterBwdShape{.tokens = routed_,
                           .experts = model_.experts,
                           .top_k = model_.top_k,
                           .sequences = plan_.micro_batch,
                           .seq = plan_.rank_seq(),
                           .first = routed_tokens(plan_, rank_).first,
                           .renormalise = model_.renormalise ? 1 : 0,
                           .accumulate = aux_loss_written_ ? 1 : 0,
                           .aux_scale = model_.aux_loss * static_cast<double>(model_.experts) /
                                        (static_cast<double>(model_.top_k) * seq * seq *
                                         static_cast<double>(plan_.global_batch()) * parts)},
            {dweights, saved(layer + "logits", routed_ * model_.experts, DType::f32),
             chosen_experts(layer),
             saved(layer + "hits", plan_.micro_batch * model_.experts, DType::f32),
             router_gradient(layer), buffer(kAuxLossBuffer, BufferKind::scalar, DType::f32, 1)});
    aux_loss_written_ = true;
    const BufferSlice dactive = row_workspace("dactive", rows.rows, ffn_);  // (rows, MLP width)
    multiply_rows(layer, "down", drows, dactive, ffn_, hidden, /*of_gradient=*/true);
    compute(layer + "swiglu.bwd", SwigluBwdShape{.rows = rows.rows, .cols = ffn_},
            {dactive, up, dup});
  }
  if (!pass_.weights) return;
  activate_again(layer, up, active, rows.rows, ffn_);
  experts_matrix_gradient(layer, "down", drows, active, hidden, ffn_);
}

void Lowering::experts_input_gradient(const std::string& layer, BufferSlice dwhole) {
  const ExpertRows& rows = expert_rows(layer_number(layer));
  const std::int64_t hidden = model_.hidden;
  const bool away = exchanges_rows();
  const BufferSlice dup = row_gradient("dup", layer + "up", rows.rows, mlp_in_);
  const BufferSlice dsorted = row_workspace("experts.down", rows.rows, hidden);  // (rows, hidden)
  multiply_rows(layer, "up", dup, dsorted, hidden, mlp_in_, /*of_gradient=*/true);
  const BufferSlice dsent = away ? workspace("experts.sent", rows.slots * hidden) : dsorted;
  if (away) combine(layer + "experts.combine.bwd", layer, dsorted, dsent);
  compute(
      layer + "experts.permute.bwd",
      ExpertsUnpermuteShape{
          .tokens = routed_, .top_k = model_.top_k, .width = hidden, .slots = rows.slots},
      {dsent, saved(layer + "places", routed_ * model_.top_k, DType::i32), BufferSlice{}, dwhole});
  linear_input_gradient(layer + "router", router_gradient(layer), dwhole, routed_, model_.experts,
                        hidden, /*add=*/true);
}

void Lowering::experts_weight_gradient(const std::string& layer, BufferSlice whole) {
  const ExpertRows& rows = expert_rows(layer_number(layer));
  experts_matrix_gradient(layer, "up", row_gradient("dup", layer + "up", rows.rows, mlp_in_),
                          rows_of_experts(layer), mlp_in_, model_.hidden);
  linear_weight_gradient(layer + "router", router_gradient(layer), whole, routed_, model_.experts,
                         model_.hidden);
}

BufferSlice Lowering::gather_routed(const std::string& label, BufferSlice share,
                                    const std::string& into) {
  if (plan_.expert_tensor() == 1) return share;
  const BufferSlice routed = workspace(into, routed_ * model_.hidden);  // (routed, hidden)
  gather_shares(label, kTensorAxis, share, routed);
  return routed;
}

BufferSlice Lowering::sum_routed(const std::string& label, BufferSlice routed) {
  if (plan_.expert_tensor() == 1) return routed;
  const BufferSlice share =
      workspace("routed.share", share_tokens_ * model_.hidden);  // (share, hidden)
  scatter_sum(label, kTensorAxis, routed, share);
  return share;
}

void Lowering::sum_aux_loss() {
  if (model_.experts == 0) return;
  const BufferSlice aux = buffer(kAuxLossBuffer, BufferKind::scalar, DType::f32, 1);
  sum_shards("aux_loss.parts", aux, DType::f32);
  if (plan_.gradient_ways() == 1) return;
  all_reduce("aux_loss.reduce", StepMesh::name_of(mesh_.gradient_group()), aux, DType::f32,
             ReduceOp::sum);
}

void Lowering::sum_over_experts(const std::string& label, BufferSlice x) {
  // Where state is sharded the sum over its ranks is one over those of all experts.
  if (!mesh_.spreads_experts_beyond_tensor() || layout_.state().ways > 1) return;
  all_reduce(label + ".experts", kAxis, x, DType::f32, ReduceOp::sum);
}

}  // namespace stepmark
