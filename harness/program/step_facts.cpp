// SPDX-License-Identifier: Apache-2.0
// Memory of a step with many micro-steps is that of one with two, plus the tokens of the others, as
// activations repeat; tests compare it with whole programs.
#include "harness/program/step_facts.h"

#include <algorithm>

#include "harness/program/memory_plan.h"
#include "harness/program/step.h"

namespace stepmark {
namespace {

std::map<std::string, StepTraffic> traffic_of(const Program& program) {
  std::map<std::string, StepTraffic> result;
  for (const Group& group : program.groups) {
    StepTraffic& traffic = result[group.axis];
    traffic.ranks = static_cast<int>(group.ranks.size());
    traffic.bus_bytes = bus_bytes(program, group);
  }
  for (const Op& op : program.ops) {
    if (op.comm) ++result[op.comm->axis].calls[std::string(name_of(op.comm->verb))];
  }
  return result;
}

}  // namespace

double model_flops(const Model& model, const Plan& plan) {
  return static_cast<double>(plan.tokens_per_step()) * model.model_flops_per_token(plan.seq);
}

double causal_model_flops(const Model& model, const Plan& plan) {
  return static_cast<double>(plan.tokens_per_step()) * model.causal_model_flops_per_token(plan.seq);
}

std::int64_t step_memory_bytes(const Model& model, const Plan& plan, const DeviceTraits& traits) {
  Plan few = plan;
  few.accumulation = std::min<std::int64_t>(plan.accumulation, 2);
  const Model slice = sliced(model, plan);
  std::int64_t bytes = plan_memory(step_program(slice, few, 0, traits)).bytes;
  if (plan.optimizer_overlap == OptimizerOverlap::automatic) {
    few.optimizer_overlap = OptimizerOverlap::on;
    bytes = std::max(bytes, plan_memory(step_program(slice, few, 0, traits)).bytes);
  }
  const auto tokens_of = [&](std::int64_t micro_steps) {
    return padded(
        micro_steps * plan.micro_batch * plan.seq * static_cast<std::int64_t>(sizeof(std::int32_t)),
        kBufferAlignmentBytes);
  };
  return bytes + 2 * (tokens_of(plan.accumulation) - tokens_of(few.accumulation));
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
          .peak_bytes = other == nullptr ? peak : std::max(peak, plan_memory(*other).bytes)};
}

}  // namespace stepmark
