// SPDX-License-Identifier: Apache-2.0
// Four slices per kind of stage give the four coefficients of what grows with layers and
// micro-steps. Pipelines are cut to three stages, whose kinds are all that there are; chunks beyond
// a rank's first or last one are middle ones.
#include "harness/program/plan_estimate.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "harness/program/memory_plan.h"
#include "harness/program/step_facts.h"
#include "harness/spec/stages.h"

namespace stepmark {
namespace {

constexpr std::int64_t kSliceStages = 3;

double padded_bytes(const BufferDecl& buffer) {
  return static_cast<double>(padded(
      buffer.elements * static_cast<std::int64_t>(size_of(buffer.dtype)), kBufferAlignmentBytes));
}

// The plan that stands for all with the same shapes.
Plan slice_of(Plan plan, std::int64_t micro_steps) {
  plan.pp = plan.pp > 1 ? kSliceStages : 1;
  plan.chunks = 1;
  plan.layers = 0;
  plan.accumulation = micro_steps;
  plan.optimizer_overlap = OptimizerOverlap::off;
  if (!find_schedule(plan.schedule).splits_backward) plan.schedule = kDefaultSchedule;
  return plan;
}

struct SliceFacts {
  std::map<std::string, double> bus;
  double kept = 0, inputs = 0, flight = 0, peak = 0;
  double sets = 1;  // of activations, in flight
  [[nodiscard]] double passing() const { return peak - kept - inputs - flight; }
};

SliceFacts facts_of(const Program& program) {
  SliceFacts facts;
  for (const Group& group : program.groups) {
    facts.bus[std::string(axis_of(group.axis))] += bus_bytes(program, group);
  }
  for (const BufferDecl& buffer : program.buffers) {
    const bool input = buffer.kind == BufferKind::input;
    (input                                   ? facts.inputs
     : buffer.kind == BufferKind::activation ? facts.flight
                                             : facts.kept) +=
        buffer.kind == BufferKind::workspace ? 0 : padded_bytes(buffer);
  }
  facts.peak = static_cast<double>(plan_memory(program).bytes);
  return facts;
}

}  // namespace

double bubble_of(const Plan& plan) {
  const auto idle = static_cast<double>(plan.pp - 1);
  const auto rounds = static_cast<double>(plan.accumulation * plan.chunks);
  return idle / ((find_schedule(plan.schedule).splits_backward ? 3 : 1) * rounds + idle);
}

const PlanEstimator::Stage& PlanEstimator::stage_of(const Plan& plan, Kind kind) {
  const std::string key = fmt::format("{} {}", static_cast<int>(kind), to_text(slice_of(plan, 1)));
  const auto [found, fresh] = stages_.try_emplace(key);
  Stage& stage = found->second;
  if (!fresh) return stage;
  const auto slice = [&](std::int64_t layers, std::int64_t micro_steps) {
    const Plan cut = slice_of(plan, micro_steps);
    Model model = model_;
    model.layers = layers * cut.pp;
    const std::int64_t place = kind == Kind::middle ? 1 : kind == Kind::last ? cut.pp - 1 : 0;
    const auto rank = static_cast<std::int32_t>(place * cut.ranks() / cut.pp);
    SliceFacts facts = facts_of(step_program(model, cut, rank, traits_));
    facts.sets = sets_in_flight(cut, rank);
    return facts;
  };
  // From two layers and micro-steps on a stage repeats: gathers and gradients take turns in two
  // buffers. With three micro-steps a pipeline receives ahead.
  constexpr double kFew = 2;
  const SliceFacts few = slice(2, 2), wide = slice(3, 2), deep = slice(2, 3), both = slice(3, 3);
  for (const auto& [axis, bytes] : few.bus) {
    const double layer = wide.bus.at(axis) - bytes;
    const double layer_micro = both.bus.at(axis) - deep.bus.at(axis) - layer;
    const double micro = deep.bus.at(axis) - bytes - kFew * layer_micro;
    stage.bus[axis] = {.step = bytes - kFew * (micro + layer),
                       .micro = micro,
                       .layer = layer - kFew * layer_micro,
                       .layer_micro = layer_micro};
  }
  const auto line = [](double at_few, double next) {
    return std::pair{at_few - kFew * (next - at_few), next - at_few};  // without, and per layer
  };
  std::tie(stage.kept, stage.kept_layer) = line(deep.kept, both.kept);
  std::tie(stage.flight, stage.flight_layer) =
      line(deep.flight / deep.sets, both.flight / both.sets);
  std::tie(stage.passing, stage.passing_layer) = line(deep.passing(), both.passing());
  stage.inputs = deep.inputs / 3;
  return stage;
}

std::int32_t PlanEstimator::sets_of(const Plan& plan, std::int32_t place) {
  if (plan.pp == 1) return 1;
  const std::string key =
      fmt::format("{} {} {} {} {}", plan.schedule, plan.pp, plan.chunks, plan.accumulation, place);
  const auto [found, fresh] = sets_.try_emplace(key, 0);
  if (fresh) found->second = sets_in_flight(plan, StepMesh(plan).first_rank_of(place));
  return found->second;
}

PlanEstimate PlanEstimator::estimate(const Plan& plan) {
  const Model model = sliced(model_, plan);
  PlanEstimate result{.memory_bytes = 0, .bus_bytes = {}, .bubble = bubble_of(plan)};
  const auto m = static_cast<double>(plan.accumulation), chunks = static_cast<double>(plan.chunks);
  const auto last = static_cast<std::int32_t>(plan.pp - 1);
  // Of the middle stages the first has most in flight.
  for (const std::int32_t place : std::set{0, std::min(1, last), last}) {
    const Kind kind = last == 0       ? Kind::only
                      : place == 0    ? Kind::first
                      : place == last ? Kind::last
                                      : Kind::middle;
    const Stage& stage = stage_of(plan, kind);
    double layers = 0;
    for (const ModelStage& part : model_stages(model, plan, place)) {
      layers += static_cast<double>(part.end - part.begin);
    }
    const double sets = sets_of(plan, place);
    const double others = chunks - 1;
    const double memory = stage.kept + layers * stage.kept_layer + m * stage.inputs +
                          sets * (stage.flight + layers / chunks * stage.flight_layer) +
                          stage.passing + layers * stage.passing_layer;
    result.memory_bytes = std::max(result.memory_bytes, memory);
    for (const auto& [axis, bus] : stage.bus) {
      double bytes = bus.step + m * bus.micro + layers * (bus.layer + m * bus.layer_micro);
      if (others > 0) bytes += others * m * stage_of(plan, Kind::middle).bus.at(axis).micro;
      double& most = result.bus_bytes[axis];
      most = std::max(most, bytes);
    }
  }
  return result;
}

}  // namespace stepmark
