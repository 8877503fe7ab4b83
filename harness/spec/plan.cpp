// SPDX-License-Identifier: Apache-2.0
// What follows from a plan, and whether it is legal, which is checked in the order in which users
// make mistakes, with the numbers that do not fit. Its text is in plan_text.cpp.
#include "harness/spec/plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "harness/program/schedule/schedule.h"
#include "harness/spec/limits.h"

namespace stepmark {

std::int64_t Plan::loss_tokens() const {
  // Rows of a piece begin where operands of GEMMs may begin.
  constexpr std::int64_t kMultiple = 64;
  const auto up = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
  const std::int64_t tokens = rank_tokens();
  const std::int64_t pieces = loss_chunks > 0 ? loss_chunks : up(tokens, kLossTokens);
  return std::min(tokens, up(up(tokens, pieces), kMultiple) * kMultiple);
}

Plan Plan::on_one_rank() const {
  Plan plan = *this;
  plan.accumulation *= plan.dp;
  plan.dp = 1;
  plan.tp = 1;
  plan.cp = 1;
  plan.cp_kind = ContextKind::allgather;
  plan.pp = 1;
  plan.schedule = kDefaultSchedule;
  plan.chunks = 1;
  plan.p2p = StageMessages::single;
  plan.sequence_parallel = false;
  plan.tp_overlap = true;
  plan.tp_chunks = 1;
  plan.ep = 1;
  plan.etp = 0;
  plan.zero = 0;
  plan.shard = 0;
  plan.reshard = true;
  plan.prefetch = true;
  plan.grad_sync = GradSync::every;
  plan.gather = ParamGather::end;
  plan.reduce = DType::f32;
  plan.recompute = Recompute::none;
  return plan;
}

std::int64_t Plan::shard_ways() const {
  if (zero == 0) return 1;
  return std::max<std::int64_t>(1, shard > 0 ? shard : gradient_ways());
}

Plan filled(Plan plan, std::int64_t world_size) {
  if (plan.dp == 0) plan.dp = std::max<std::int64_t>(1, world_size / (plan.tp * plan.cp * plan.pp));
  return plan;
}

namespace {

// Upper estimate of what a rank holds, in doubles: what is refused cannot be counted exactly.
double most_bytes(const Plan& plan, const Model& model, std::int64_t layers) {
  const auto tokens = static_cast<double>(plan.rank_tokens());
  const double per_layer =
      8.0 * static_cast<double>(model.hidden) + 3.0 * static_cast<double>(model.qkv_width()) +
      4.0 * static_cast<double>(model.mlp_in_width()) *
          static_cast<double>(std::max<std::int64_t>(1, model.top_k) * plan.ep);
  const double activations =
      tokens * (per_layer * static_cast<double>(layers + 1) + static_cast<double>(model.vocab));
  return 8.0 * activations + 20.0 * static_cast<double>(model.parameters());
}

std::optional<std::string> why_too_large(const Plan& plan, const Model& model) {
  const std::int64_t layers = plan.layers > 0 ? plan.layers : model.layers;
  if (plan.accumulation * layers * plan.tp_chunks > kMaxLayerPasses) {
    return fmt::format(
        "accumulation={} x {} layers{} is a program of over {} layers; lower accumulation and "
        "raise micro_batch, or run a slice (layers=)",
        plan.accumulation, layers,
        plan.tp_chunks > 1 ? fmt::format(" x tp_chunks={}", plan.tp_chunks) : std::string(),
        kMaxLayerPasses);
  }
  if (most_bytes(plan, model, layers) >= kMaxBytesPerRank) {
    return fmt::format(
        "micro_batch={} x seq={} of {} is more memory than can be counted (2^60 bytes)",
        plan.micro_batch, plan.seq, model.name);
  }
  return std::nullopt;
}

// What a pipeline of the plan cannot do, or asks for without being one.
std::optional<std::string> why_no_pipeline(const Plan& plan, const Model& model) {
  if (plan.pp == 1) {
    if (plan.schedule == kDefaultSchedule && plan.chunks == 1 &&
        plan.p2p == StageMessages::single) {
      return std::nullopt;
    }
    return fmt::format("{} is for the stages of a pipeline and needs pp of at least 2",
                       plan.chunks > 1 ? fmt::format("chunks={}", plan.chunks)
                       : plan.p2p != StageMessages::single
                           ? fmt::format("p2p={}", name_of(plan.p2p))
                           : fmt::format("schedule={}", plan.schedule));
  }
  const std::int64_t layers = plan.layers > 0 ? plan.layers : model.layers;
  if (plan.pp * plan.chunks > layers) {
    return fmt::format("pp={} x chunks={} needs a layer for each of {} stages, {} has {}", plan.pp,
                       plan.chunks, plan.pp * plan.chunks, model.name, layers);
  }
  if (plan.p2p == StageMessages::batched && plan.chunks > 1) {
    return fmt::format(
        "p2p=batched puts what a slot sends and what the next one begins with into one call; "
        "stages of several chunks (chunks={}) would wait for each other in a circle; give "
        "p2p=single, or schedule={} without chunks",
        plan.chunks, kDefaultSchedule);
  }
  const std::string problem =
      find_schedule(plan.schedule)
          .problem({.stages = static_cast<std::int32_t>(plan.pp),
                    .micro_batches = static_cast<std::int32_t>(plan.accumulation),
                    .chunks = static_cast<std::int32_t>(plan.chunks)});
  if (problem.empty()) return std::nullopt;
  return fmt::format("schedule={}: {} (accumulation={}, pp={}, chunks={})", plan.schedule, problem,
                     plan.accumulation, plan.pp, plan.chunks);
}

// What ranks that share sequences cannot do, or is asked for without any.
std::optional<std::string> why_no_context(const Plan& plan, const Model& model) {
  if (plan.cp == 1) {
    if (plan.cp_kind == ContextKind::allgather) return std::nullopt;
    return fmt::format("cp_kind={} is for ranks that share sequences and needs cp of at least 2",
                       name_of(plan.cp_kind));
  }
  if (plan.seq % (2 * plan.cp) != 0) {
    std::int64_t nearest = plan.cp;
    while (nearest > 1 && plan.seq % (2 * nearest) != 0) --nearest;
    return fmt::format(
        "cp={} cuts each sequence into {} chunks of equal length, two for each rank, and seq={} is "
        "no multiple of that; {}",
        plan.cp, 2 * plan.cp, plan.seq,
        plan.seq >= 2 * plan.cp ? fmt::format("seq={} is{}", plan.seq / (2 * plan.cp) * 2 * plan.cp,
                                              nearest > 1 ? fmt::format(", or cp={}", nearest) : "")
        : nearest > 1           ? fmt::format("cp={} goes", nearest)
                                : "leave cp out");
  }
  const std::int64_t heads = std::max<std::int64_t>(1, model.kv_heads / plan.tp);  // or copies
  if (plan.cp_kind == ContextKind::ulysses && heads % plan.cp != 0) {
    return fmt::format(
        "cp_kind=ulysses gives each of cp={} ranks a share of the {} key/value heads of {}{}, "
        "which "
        "it does not divide; cp_kind=allgather and cp_kind=ring do not split heads",
        plan.cp, heads, model.name, plan.tp > 1 ? fmt::format(" at tp={}", plan.tp) : "");
  }
  return std::nullopt;
}

// What experts cannot do, or is asked for without any.
std::optional<std::string> why_no_experts(const Plan& plan, const Model& model) {
  if (model.experts == 0) {
    const std::string asked = plan.ep > 1    ? fmt::format("ep={} spreads experts", plan.ep)
                              : plan.etp > 0 ? fmt::format("etp={} splits experts", plan.etp)
                              : plan.routing != Routing::router
                                  ? fmt::format("routing={} chooses experts", name_of(plan.routing))
                                  : "";
    if (asked.empty()) return std::nullopt;
    return fmt::format("{}, and {} has none; leave it out", asked, model.name);
  }
  const std::int64_t split = plan.expert_tensor(), holders = plan.tp * plan.gradient_ways();
  if (plan.tp % split != 0) {
    std::int64_t nearest = std::min(split, plan.tp);
    while (plan.tp % nearest != 0) --nearest;
    return fmt::format(
        "etp={} splits each expert over ranks of a tensor-parallel group, and does not divide "
        "tp={}; etp={} does",
        split, plan.tp, nearest);
  }
  if (model.ffn % split != 0) {
    return fmt::format("tp={} does not divide the width {} of the experts of {}{}", split,
                       model.ffn, model.name,
                       plan.sequence_parallel ? "; etp=1 does" : "; sp=on,etp=1 does");
  }
  if (split != plan.tp && !plan.sequence_parallel) {
    return fmt::format(
        "etp={} has ranks of a tensor-parallel group of tp={} send tokens of their own to experts, "
        "which they have with sp=on; give sp=on, or leave etp out",
        split, plan.tp);
  }
  if (model.experts % plan.ep != 0) {
    std::int64_t nearest = plan.ep;
    while (model.experts % nearest != 0 || holders / split % nearest != 0) --nearest;
    return fmt::format("ep={} does not divide the {} experts of {}; ep={} does", plan.ep,
                       model.experts, model.name, nearest);
  }
  const std::int64_t spans = plan.ep * split;
  if (holders % spans != 0) {
    std::int64_t nearest = std::min(plan.ep, holders / split);
    while (model.experts % nearest != 0 || holders / split % nearest != 0) --nearest;
    return fmt::format(
        "ep={} spreads experts over ranks that hold the same dense parameters, and does not divide "
        "the {} that there are (dp={}{}{}); {}",
        plan.ep, holders / split, plan.dp,
        plan.cp > 1 ? fmt::format(" x cp={}", plan.cp) : std::string(),
        split != plan.tp ? fmt::format(" x tp={}", plan.tp) : std::string(),
        nearest > 1 ? fmt::format("ep={} does", nearest) : std::string("leave it out"));
  }
  if (spans % plan.tp != 0 && plan.tp % spans != 0) {
    return fmt::format("ep={} x etp={} is neither a multiple of tp={} nor divides it", plan.ep,
                       split, plan.tp);
  }
  return std::nullopt;
}

// What sharding over data-parallel ranks cannot do, or is asked for without any.
std::optional<std::string> why_no_sharding(const Plan& plan) {
  if (plan.shard > 0 && plan.zero == 0) {
    return fmt::format(
        "shard={} says over how many ranks ZeRO shards, and zero=0 shards nothing; "
        "give zero=1, 2 or 3, or leave it out",
        plan.shard);
  }
  if (plan.shard == 1) return "shard=1 shards nothing; give zero=0, or a shard of at least 2";
  if (plan.shard > 0 && plan.gradient_ways() % plan.shard != 0) {
    std::int64_t nearest = plan.shard;
    while (plan.gradient_ways() % nearest != 0) --nearest;
    return fmt::format("shard={} does not divide the {} {} ranks; {}", plan.shard,
                       plan.gradient_ways(),
                       plan.cp > 1 ? "data- and context-parallel" : "data-parallel",
                       nearest > 1 ? fmt::format("shard={} does", nearest)
                                   : std::string("leave it out to shard over all of them"));
  }
  if (plan.shard > 0 && plan.tp * plan.shard % (plan.expert_tensor() * plan.ep) != 0) {
    std::int64_t larger = plan.shard;
    while (plan.gradient_ways() % larger != 0 ||
           plan.tp * larger % (plan.expert_tensor() * plan.ep) != 0) {
      ++larger;
    }
    return fmt::format(
        "shard={} x tp={} is no multiple of the etp={} x ep={} ranks that experts are spread over: "
        "what is sharded is whole copies of them; {}",
        plan.shard, plan.tp, plan.expert_tensor(), plan.ep,
        larger < plan.gradient_ways() ? fmt::format("shard={} does", larger)
                                      : std::string("leave it out to shard over all"));
  }
  if (!plan.reshard && plan.zero != 3) {
    return fmt::format(
        "reshard=off keeps gathered parameters, which are sharded with zero=3 alone "
        "(zero={})",
        plan.zero);
  }
  if (!plan.prefetch && plan.zero != 3) {
    return fmt::format(
        "prefetch=off gathers each layer's parameters when it begins, and they are sharded with "
        "zero=3 alone (zero={})",
        plan.zero);
  }
  if (plan.grad_sync == GradSync::last && (plan.zero < 2 || plan.accumulation == 1)) {
    return plan.zero < 2 ? fmt::format(
                               "grad_sync=last puts off what zero=2 and zero=3 reduce with every "
                               "micro-batch; zero={} reduces once per step as it is",
                               plan.zero)
                         : "grad_sync=last adds up micro-batches and needs accumulation of at "
                           "least 2";
  }
  if (plan.gather == ParamGather::forward && (plan.zero == 0 || plan.zero == 3)) {
    return plan.zero == 0 ? "gather=forward gathers updated shards, which zero=1 and zero=2 have"
                          : "gather=forward is of zero=1 and zero=2; zero=3 gathers layer by layer";
  }
  if (plan.zero >= 2 && find_schedule(plan.schedule).splits_backward) {
    return fmt::format(
        "schedule={} keeps weight gradients for later, zero={} reduces those of a layer with its "
        "backward pass; zero=1 goes with it, or schedule={}",
        plan.schedule, plan.zero, kDefaultSchedule);
  }
  return std::nullopt;
}

// Pieces in which tokens are gathered and scattered, and what they come from.
std::optional<std::string> why_no_token_chunks(const Plan& plan) {
  if (plan.tp_chunks == 1) return std::nullopt;
  if (!plan.sequence_parallel) {
    return fmt::format(
        "tp_chunks={} cuts the gathers and scatters of tokens of sequence parallelism, which is "
        "off; give sp=on, or leave it out",
        plan.tp_chunks);
  }
  if (!plan.tp_overlap) {
    return fmt::format(
        "tp_overlap=off waits for what tp_chunks={} cuts so that it runs beside GEMMs; leave one "
        "of them out",
        plan.tp_chunks);
  }
  const std::int64_t tokens = plan.rank_tokens() / plan.tp;
  if (tokens % plan.tp_chunks == 0) return std::nullopt;
  std::int64_t nearest = std::min(plan.tp_chunks, tokens);
  while (tokens % nearest != 0) --nearest;
  return fmt::format(
      "tp_chunks={} cuts the {} tokens of each rank into pieces of equal length; {}",
      plan.tp_chunks, tokens,
      nearest > 1 ? fmt::format("tp_chunks={} does", nearest) : std::string("leave it out"));
}

// What tensor-parallel ranks do beside their GEMMs, where there is nothing to do it beside.
std::optional<std::string> why_no_tensor_overlap(const Plan& plan) {
  if (auto reason = why_no_token_chunks(plan)) return reason;
  if (plan.tp_overlap) return std::nullopt;
  if (plan.tp == 1) {
    return "tp_overlap=off waits for sums over tensor-parallel ranks and needs tp of at least 2";
  }
  if (find_schedule(plan.schedule).splits_backward) {
    return fmt::format(
        "schedule={} computes weight gradients in slots of their own, so that nothing of a layer "
        "runs beside its sums; leave tp_overlap out, or give schedule={}",
        plan.schedule, kDefaultSchedule);
  }
  return std::nullopt;
}

std::string degrees_product(const Plan& plan) {
  std::string text = fmt::format("dp={} x tp={}", plan.dp, plan.tp);
  if (plan.cp > 1) text += fmt::format(" x cp={}", plan.cp);
  if (plan.pp > 1) text += fmt::format(" x pp={}", plan.pp);
  return text;
}

}  // namespace

std::optional<std::string> why_illegal(const Plan& plan, const Model& model,
                                       std::int64_t world_size) {
  if (plan.ranks() != world_size) {
    return fmt::format(
        "{} needs {} ranks, but the world has {}; give degrees whose "
        "product is {} or start {} ranks",
        degrees_product(plan), plan.ranks(), world_size, world_size, plan.ranks());
  }
  // Token counts are exact in every later product with a dim of the model.
  if (static_cast<double>(plan.micro_batch) * static_cast<double>(plan.accumulation) *
          static_cast<double>(plan.dp) * static_cast<double>(plan.seq) >=
      kMaxStepTokens) {
    return fmt::format("micro_batch={} x accumulation={} x dp={} x seq={} is over 2^36 tokens",
                       plan.micro_batch, plan.accumulation, plan.dp, plan.seq);
  }
  if (model.heads % plan.tp != 0) {
    return fmt::format("tp={} does not divide the {} attention heads of {}", plan.tp, model.heads,
                       model.name);
  }
  if (model.kv_heads % plan.tp != 0 && plan.tp % model.kv_heads != 0) {
    return fmt::format("tp={} neither divides the {} key/value heads of {} nor is a multiple",
                       plan.tp, model.kv_heads, model.name);
  }
  const std::int64_t dense_ffn = model.experts > 0 ? model.shared_ffn : model.ffn;
  if (dense_ffn % plan.tp != 0) {
    return fmt::format("tp={} does not divide the MLP width {} of {}", plan.tp, dense_ffn,
                       model.name);
  }
  if (plan.tp > model.vocab) {
    return fmt::format("tp={} leaves a rank without any of the {} vocabulary rows", plan.tp,
                       model.vocab);
  }
  if (plan.seq > model.max_seq) {
    return fmt::format("seq={} is longer than the {} positions of {}", plan.seq, model.max_seq,
                       model.name);
  }
  if (plan.sequence_parallel && plan.tp == 1) {
    return "sp=on splits tokens over the tensor-parallel group and needs tp of at least 2";
  }
  if (auto reason = why_no_context(plan, model)) return reason;
  if (plan.sequence_parallel && plan.rank_tokens() % plan.tp != 0) {
    return fmt::format("sp=on needs micro_batch x seq{} = {} divisible by tp={}",
                       plan.cp > 1 ? " / cp" : "", plan.rank_tokens(), plan.tp);
  }
  if (auto reason = why_no_tensor_overlap(plan)) return reason;
  if (plan.loss_chunks > plan.rank_tokens()) {
    return fmt::format("loss_chunks={} is more than the {} tokens of a micro-step",
                       plan.loss_chunks, plan.rank_tokens());
  }
  if (plan.layers > model.layers) {
    return fmt::format("layers={} is more than the {} layers of {}; a slice has fewer", plan.layers,
                       model.layers, model.name);
  }
  if (auto reason = why_no_experts(plan, model)) return reason;
  if (auto reason = why_no_pipeline(plan, model)) return reason;
  if (auto reason = why_no_sharding(plan)) return reason;
  return why_too_large(plan, model);
}

Plan resolve(Plan plan, const Model& model, std::int64_t world_size) {
  STEPMARK_REQUIRE(world_size >= 1 && world_size <= kMaxRanks,
                   "a world of {} ranks: expected from 1 to {}", world_size, kMaxRanks);
  if (plan.seq == 0) plan.seq = model.max_seq;
  plan = filled(plan, world_size);
  if (plan.layers == model.layers) plan.layers = 0;
  if (plan.etp == plan.tp) plan.etp = 0;
  if (plan.zero > 0 && plan.shard > 1 && plan.shard == plan.gradient_ways()) plan.shard = 0;
  if (const auto reason = why_illegal(plan, model, world_size)) {
    throw Error(ExitCode::kUsage, fmt::format("impossible plan: {}", *reason));
  }
  return plan;
}

Model sliced(const Model& model, const Plan& plan) {
  Model result = model;
  if (plan.layers > 0) result.layers = plan.layers;
  return result;
}

}  // namespace stepmark
