// SPDX-License-Identifier: Apache-2.0
// Memory of a step with many micro-steps is that of one with two, plus the tokens of the others, as
// activations repeat; tests compare it with whole programs.
#include "harness/program/step_facts.h"

#include <algorithm>

#include "harness/program/memory_plan.h"
#include "harness/program/step.h"
#include "harness/program/step_roles.h"

namespace stepmark {
namespace {

std::map<std::string, StepTraffic> traffic_of(const Program& program) {
  std::map<std::string, StepTraffic> result;
  for (const Group& group : program.groups) {
    StepTraffic& traffic = result[std::string(axis_of(group.axis))];
    traffic.ranks = std::max(traffic.ranks, static_cast<int>(group.ranks.size()));
    traffic.bus_bytes += bus_bytes(program, group);
  }
  for (const Op& op : program.ops) {
    if (!op.comm) continue;
    ++result[std::string(axis_of(op.comm->axis))].calls[std::string(name_of(op.comm->verb))];
  }
  return result;
}

// Micro-steps x layers of a pipeline's stage that are built whole: what lies where depends on all.
constexpr std::int64_t kMostPasses = 2048;

// Micro-steps whose programs need the memory of the plan's: two without a pipeline; in a long one
// as many as it takes to have all sets of activations in use, and further rounds of all stages.
Plan with_few_micro_steps(const Model& slice, const Plan& plan, std::int32_t rank) {
  constexpr std::int64_t kFurtherRounds = 2;
  Plan few = plan;
  const std::int64_t stages = StepMesh(plan).stages();
  if (stages == 1) few.accumulation = std::min<std::int64_t>(plan.accumulation, 2);
  if (stages == 1 || plan.accumulation * slice.layers <= kMostPasses * stages) return few;
  const std::int32_t sets = sets_in_flight(plan, rank);
  for (std::int64_t rounds = 1; rounds * stages < plan.accumulation; ++rounds) {
    few.accumulation = rounds * stages;  // schedules may want a multiple of the stages
    if (sets_in_flight(few, rank) < sets) continue;
    few.accumulation = std::min(plan.accumulation, (rounds + kFurtherRounds) * stages);
    return few;
  }
  few.accumulation = plan.accumulation;
  return few;
}

}  // namespace

double model_flops(const Model& model, const Plan& plan) {
  return static_cast<double>(plan.tokens_per_step()) * model.model_flops_per_token(plan.seq);
}

double causal_model_flops(const Model& model, const Plan& plan) {
  return static_cast<double>(plan.tokens_per_step()) * model.causal_model_flops_per_token(plan.seq);
}

std::int32_t sets_in_flight(const Plan& plan, std::int32_t rank) {
  return in_flight(slots_of(find_schedule(plan.schedule), place_of(plan, rank))).sets;
}

std::int64_t rank_memory_bytes(const Model& model, const Plan& plan, const DeviceTraits& traits,
                               std::int32_t rank) {
  const Model slice = sliced(model, plan);
  const Plan few = with_few_micro_steps(slice, plan, rank);
  const Program program = step_program(slice, few, rank, traits);
  std::int64_t bytes = plan_memory(program).bytes;
  if (plan.optimizer_overlap == OptimizerOverlap::automatic) {
    Plan overlapped = few;
    overlapped.optimizer_overlap = OptimizerOverlap::on;
    bytes = std::max(bytes, plan_memory(step_program(slice, overlapped, rank, traits)).bytes);
  }
  const auto tokens_of = [&](std::int64_t micro_steps) {
    return padded(
        micro_steps * plan.rank_tokens() * static_cast<std::int64_t>(sizeof(std::int32_t)),
        kBufferAlignmentBytes);
  };
  const std::int64_t inputs = (program.buffer_index(kTokensBuffer) >= 0 ? 1 : 0) +
                              (program.buffer_index(kTargetsBuffer) >= 0 ? 1 : 0);
  return bytes + inputs * (tokens_of(plan.accumulation) - tokens_of(few.accumulation));
}

std::int64_t stage_memory_bytes(const Model& model, const Plan& plan, const DeviceTraits& traits,
                                std::int32_t stage, std::int64_t enough) {
  std::int64_t most = 0;
  for (const std::int32_t rank : largest_ranks(sliced(model, plan), plan, stage)) {
    most = std::max(most, rank_memory_bytes(model, plan, traits, rank));
    if (most > enough) break;
  }
  return most;
}

std::int64_t step_memory_bytes(const Model& model, const Plan& plan, const DeviceTraits& traits,
                               std::int64_t enough) {
  std::int64_t most = 0;
  const StepMesh mesh(plan);
  for (std::int32_t stage = 0; stage < mesh.stages() && most <= enough; ++stage) {
    most = std::max(most, stage_memory_bytes(model, plan, traits, stage, enough));
  }
  return most;
}

StepFacts facts_of_step(const Model& model, const Plan& plan, const Program& program,
                        const DeviceTraits& traits, const Program* other) {
  const std::int64_t peak = plan_memory(program).bytes;
  return {.tokens = static_cast<double>(plan.tokens_per_step()),
          .parameters = static_cast<double>(model.parameters()),
          .model_flops = model_flops(model, plan),
          .causal_model_flops = causal_model_flops(model, plan),
          .padding = padding_of(model, plan, program, traits),
          .traffic = traffic_of(program),
          .buffer_bytes = memory_bytes(program),
          .peak_bytes = other == nullptr ? peak : std::max(peak, plan_memory(*other).bytes),
          .optimizer_bytes = memory_bytes(program, BufferKind::optimizer)};
}

}  // namespace stepmark
