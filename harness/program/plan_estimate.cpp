// SPDX-License-Identifier: Apache-2.0
// Four slices per kind of stage give the four coefficients of what grows with layers and
// micro-steps. Pipelines are cut to three stages, whose kinds are all that there are; chunks beyond
// a rank's first or last one are middle ones. Rows of tokens that a seed sends to experts follow no
// line: slices have a router in its place, and the rows are counted.
#include "harness/program/plan_estimate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <set>
#include <utility>

#include "harness/program/activation_facts.h"
#include "harness/program/routing.h"
#include "harness/program/step_facts.h"
#include "harness/spec/stages.h"
#include "harness/spec/step_groups.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/experts.h"
#include "kernels/ops/router.h"

namespace stepmark {
namespace {

constexpr std::int64_t kSliceStages = 3;
constexpr std::int64_t kFewShares = 2, kMoreShares = 4;

// The plan that stands for all with the same shapes.
Plan slice_of(Plan plan, std::int64_t micro_steps) {
  plan.pp = plan.pp > 1 ? kSliceStages : 1;
  plan.chunks = 1;
  plan.layers = 0;
  plan.accumulation = micro_steps;
  plan.optimizer_overlap = OptimizerOverlap::off;
  if (plan.routes_by_seed()) plan.routing = Routing::router;
  if (!find_schedule(plan.schedule).splits_backward) plan.schedule = kDefaultSchedule;
  return plan;
}

// The fewest shares of the batch whose ranks have all experts.
std::int64_t fewest_shares(const Plan& plan) {
  const std::int64_t copy = plan.expert_tensor() * plan.ep, share = plan.tp * plan.cp;
  return std::lcm(copy, share) / share;
}

// Neither ranks nor state to share.
Plan on_its_own(Plan plan) {
  plan.dp = fewest_shares(plan);
  plan.zero = 0;
  plan.shard = 0;
  plan.reshard = true;
  plan.prefetch = true;
  plan.grad_sync = GradSync::every;
  plan.gather = ParamGather::end;
  return plan;
}

Plan plain(Plan plan) {
  plan.micro_batch = 1;
  plan.recompute = Recompute::none;
  plan.tp_chunks = 1;  // pieces are as many bytes as the whole
  return plan;
}

using Growth = StageCost::Growth;
constexpr std::array kGrowth{&Growth::step, &Growth::micro, &Growth::layer, &Growth::layer_micro};

void add(Growth& sum, const Growth& more, double factor) {
  for (const auto part : kGrowth) sum.*part += factor * more.*part;
}

void add(StageCost& sum, const StageCost& more, double factor) {
  add(sum.state_bytes, more.state_bytes, factor);
  add(sum.recomputed_flops, more.recomputed_flops, factor);
  for (const auto& [name, bus] : more.bus) {
    StageCost::Bus& into = sum.bus[name];
    into.ranks = std::max(into.ranks, bus.ranks);
    add(into.bytes, bus.bytes, factor);
  }
}

// From two layers and micro-steps on a stage repeats: gathers and gradients take turns in two
// buffers. With three micro-steps a pipeline receives ahead.
constexpr std::int64_t kFew = 2, kMore = 3;

// Of slices with few or more layers and micro-steps.
Growth growth_of(double few, double more_layers, double more_micro_steps, double both) {
  constexpr auto kFewOf = static_cast<double>(kFew);
  const double layer = more_layers - few;
  const double layer_micro = both - more_micro_steps - layer;
  const double micro = more_micro_steps - few - kFewOf * layer_micro;
  return {.step = few - kFewOf * (micro + layer),
          .micro = micro,
          .layer = layer - kFewOf * layer_micro,
          .layer_micro = layer_micro};
}

double at(const Growth& grown, double layers, double micro_steps) {
  return grown.step + micro_steps * grown.micro +
         layers * (grown.layer + micro_steps * grown.layer_micro);
}

struct SliceFacts {
  std::map<std::string, std::pair<std::int64_t, double>> bus;  // ranks and bytes
  double state_bytes = 0, recomputed_flops = 0;
  [[nodiscard]] double bytes(const std::string& group) const {
    const auto found = bus.find(group);
    return found == bus.end() ? 0 : found->second.second;
  }
};

SliceFacts facts_of(const Program& program) {
  SliceFacts facts;
  for (const Group& group : program.groups) {
    facts.bus[group.axis] = {static_cast<std::int64_t>(group.ranks.size()),
                             bus_bytes(program, group)};
  }
  for (const auto kind : {BufferKind::param, BufferKind::grad, BufferKind::optimizer}) {
    facts.state_bytes += static_cast<double>(memory_bytes(program, kind));
  }
  facts.recomputed_flops = activation_facts(program).recomputed_flops;
  return facts;
}

// A ring of n ranks has each put (n-1)/n of a buffer on the links, once or twice.
double ring_share(std::int64_t ranks) {
  return static_cast<double>(ranks - 1) / static_cast<double>(ranks);
}

}  // namespace

double bubble_of(const Plan& plan) {
  const auto idle = static_cast<double>(plan.pp - 1);
  const auto rounds = static_cast<double>(plan.accumulation * plan.chunks);
  return idle / ((find_schedule(plan.schedule).splits_backward ? 3 : 1) * rounds + idle);
}

const StageCost& PlanEstimator::measured(const Plan& plan, Kind kind) {
  const std::string key = fmt::format("{} {}", static_cast<int>(kind), to_text(slice_of(plan, 1)));
  const auto [found, fresh] = stages_.try_emplace(key);
  StageCost& stage = found->second;
  if (!fresh) return stage;
  const auto slice = [&](std::int64_t layers, std::int64_t micro_steps) {
    const Plan cut = slice_of(plan, micro_steps);
    Model model = model_;
    model.layers = layers * cut.pp;
    const std::int64_t place = kind == Kind::middle ? 1 : kind == Kind::last ? cut.pp - 1 : 0;
    const auto rank = static_cast<std::int32_t>(place * cut.ranks() / cut.pp);
    return facts_of(step_program(model, cut, rank, traits_));
  };
  const SliceFacts few = slice(kFew, kFew), wide = slice(kMore, kFew), deep = slice(kFew, kMore),
                   both = slice(kMore, kMore);
  for (const auto& [group, of] : both.bus) {
    stage.bus[group] = {.ranks = of.first,
                        .bytes = growth_of(few.bytes(group), wide.bytes(group), deep.bytes(group),
                                           both.bytes(group))};
  }
  stage.recomputed_flops = growth_of(few.recomputed_flops, wide.recomputed_flops,
                                     deep.recomputed_flops, both.recomputed_flops);
  stage.state_bytes =
      growth_of(few.state_bytes, wide.state_bytes, deep.state_bytes, both.state_bytes);
  return stage;
}

// Of plain slices: a shard is a share of one over the ranks, so that two numbers of ranks give all.
StageCost PlanEstimator::shared_state(const Plan& plan, Kind kind) {
  if (plan.gradient_ways() == 1) return measured(on_its_own(plan), kind);
  const std::int64_t least = fewest_shares(plan);
  if (plan.dp == least) return measured(plan, kind);  // no other rank has its experts
  Plan few = plan, more = plan;
  few.dp = kFewShares * (plan.shard > 0 ? std::lcm(plan.shard, least) : least);
  more.dp = plan.shard > 0 ? few.dp : kMoreShares * least;
  StageCost cost = measured(more, kind);
  if (few.dp == more.dp) return cost;
  const StageCost& at_few = measured(few, kind);
  const auto share = [](std::int64_t ranks) { return 1.0 / static_cast<double>(ranks); };
  const double step = (share(plan.dp) - share(more.dp)) / (share(few.dp) - share(more.dp));
  for (const auto part : kGrowth) {
    cost.state_bytes.*part += step * (at_few.state_bytes.*part - cost.state_bytes.*part);
  }
  return cost;
}

StageCost PlanEstimator::stage_of(const Plan& plan, Kind kind) {
  const Plan simple = plain(plan);
  StageCost cost = shared_state(simple, kind);
  // What recomputation and a larger micro-batch add to a stage that shares nothing: a line through
  // one sequence and two.
  Plan one = on_its_own(plan), two = one;
  one.micro_batch = 1;
  two.micro_batch = 2;
  const auto more = static_cast<double>(plan.micro_batch - 1);
  add(cost, measured(on_its_own(simple), kind), -1);
  add(cost, measured(one, kind), 1 - more);
  if (more > 0) add(cost, measured(two, kind), more);
  return cost;
}

PlanEstimator::Routed PlanEstimator::beyond_router(const Plan& plan,
                                                   std::span<const ModelStage> parts) {
  std::int64_t layers = 0;
  for (const ModelStage& part : parts) layers += part.end - part.begin;
  const std::int64_t tokens = routed_tokens(plan, 0).tokens;
  const std::int64_t room =  // of a rank for another's tokens in a layer
      tokens * std::min(model_.top_k, model_.experts / plan.ep);
  const RoutedRows::Most most = rows_.most(plan, parts);
  // Forward, backward, and forward again.
  const bool again = plan.recompute == Recompute::full;
  Routed beyond;
  beyond.bytes = static_cast<double>((again ? 3 : 2) * model_.hidden *
                                     (most.sent - 2 * layers * (plan.ep - 1) * room)) *
                 static_cast<double>(size_of(plan.precision));
  const std::int64_t ffn =
      padded(shards_of(model_, plan, 0, traits_).ffn, traits_.dimension_multiple);
  const std::int64_t mlp_in = model_.mlp_in_width() / model_.ffn * ffn;
  const auto flops = [&](const auto& shape) { return flops_of(pack(shape, plan.precision)); };
  const auto rows = [&](std::int64_t of_layer) {
    return static_cast<double>(most.kept - layers * of_layer);
  };
  if (plan.recompute != Recompute::none) {
    const std::int64_t slots = plan.ep > 1 ? plan.ep * room : tokens * model_.top_k;
    beyond.recomputed_flops += rows(slots) * flops(SwigluFwdShape{.rows = 1, .cols = ffn});
  }
  const auto gemm = [&](std::int64_t n, std::int64_t k) {
    return flops(
        ExpertsGemmShape{.experts = 1, .rows = 1, .n = n, .k = k, .trans_b = 1, .expected = 1});
  };
  const double forward = gemm(mlp_in, model_.hidden) + gemm(model_.hidden, ffn);  // of a row
  // Backward, two GEMMs for one.
  beyond.uneven_flops =
      3 * static_cast<double>(most.waited_for - layers * tokens * model_.top_k) * forward;
  if (again) {
    // Nobody chooses by logits.
    beyond.recomputed_flops -=
        static_cast<double>(layers) *
        flops(RouterTopKShape{.tokens = tokens, .experts = model_.experts, .top_k = model_.top_k});
    beyond.recomputed_flops += rows(tokens * model_.top_k) * forward;
  }
  return beyond;
}

PlanEstimate PlanEstimator::estimate(const Plan& plan) {
  const Model model = sliced(model_, plan);
  const StepGroups groups(model, plan);
  const std::set<std::string> names(groups.names().begin(), groups.names().end());
  // Messages are what they are, however many stages there are.
  const std::string link = StepGroups::link_name(Direction::forward, 0, kSliceStages);
  PlanEstimate result{.state_bytes = 0,
                      .bus_bytes = {},
                      .bubble = bubble_of(plan),
                      .recomputed_flops = 0,
                      .uneven_flops = 0};
  const auto m = static_cast<double>(plan.accumulation), chunks = static_cast<double>(plan.chunks);
  const auto last = static_cast<std::int32_t>(plan.pp - 1);
  std::set<std::int32_t> places{0, std::min(1, last), last};
  if (plan.routes_by_seed()) {  // each layer has choices of its own
    for (std::int32_t place = 0; place < last; ++place) places.insert(place);
  }
  for (const std::int32_t place : places) {
    const Kind kind = last == 0       ? Kind::only
                      : place == 0    ? Kind::first
                      : place == last ? Kind::last
                                      : Kind::middle;
    const StageCost stage = stage_of(plan, kind);
    double layers = 0;
    for (const ModelStage& part : model_stages(model, plan, place)) {
      layers += static_cast<double>(part.end - part.begin);
    }
    result.state_bytes = std::max(result.state_bytes, at(stage.state_bytes, layers, m));
    Routed routed;
    if (plan.routes_by_seed()) routed = beyond_router(plan, model_stages(model, plan, place));
    result.recomputed_flops =
        std::max(result.recomputed_flops,
                 at(stage.recomputed_flops, layers, m) + m * routed.recomputed_flops);
    result.uneven_flops = std::max(result.uneven_flops, m * routed.uneven_flops);
    StageCost others;
    if (plan.chunks > 1) others = stage_of(plan, Kind::middle);
    std::map<std::string, double> sent;  // by axis
    for (const auto& [name, bus] : stage.bus) {
      double bytes = at(bus.bytes, layers, m);
      if (const auto other = others.bus.find(name); other != others.bus.end()) {
        bytes += (chunks - 1) * m * other->second.bytes.micro;
      }
      if (name == StepMesh::name_of(StepGroup::expert)) bytes += m * routed.bytes;
      if (axis_of(name) != axis_of(link) && !names.contains(name)) bytes = 0;
      if (names.contains(name) && axis_of(name) != axis_of(link)) {
        const auto rank = StepMesh(plan).first_rank_of(place);
        const auto ranks = static_cast<std::int64_t>(groups.group(name, rank).size());
        if (ranks > 1 && bus.ranks > 1) bytes *= ring_share(ranks) / ring_share(bus.ranks);
      }
      sent[std::string(axis_of(name))] += bytes;
    }
    for (const auto& [axis, bytes] : sent) {
      double& most = result.bus_bytes[axis];
      most = std::max(most, bytes);
    }
  }
  return result;
}

}  // namespace stepmark
