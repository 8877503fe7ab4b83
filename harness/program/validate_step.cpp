// SPDX-License-Identifier: Apache-2.0
// Builds one program per role, of at most three micro-steps and as many layers as fit in memory,
// and hands the cast to validate(). A program that the caller has already is not built again.
#include "harness/program/validate_step.h"

#include <algorithm>
#include <deque>

#include "harness/program/step_roles.h"
#include "harness/program/validate.h"

namespace stepmark {
namespace {

// Roles x micro-steps x layers whose programs are held at a time: about 20 ops of 500 bytes each.
constexpr std::int64_t kMost = 16'000;
constexpr std::int64_t kMicroSteps = 3;    // first, middle, last
constexpr std::int64_t kRounds = 3;        // of a pipeline, of as many micro-steps as it has stages
constexpr std::int64_t kFewestLayers = 2;  // of a stage

StepSample sample_of(const Model& model, const Plan& plan, std::int64_t roles) {
  StepSample sample{.plan = plan, .model = model};
  // A role has the layers of its stage.
  const std::int64_t stages = StepMesh(plan).stages();
  const std::int64_t most = kMost * stages;
  if (roles * plan.accumulation * model.layers <= most) return sample;
  const std::int64_t micro_steps = stages == 1 ? kMicroSteps : kRounds * stages;
  sample.plan.accumulation = std::min(plan.accumulation, micro_steps);
  const std::int64_t fitting = most / (roles * sample.plan.accumulation);
  const std::int64_t fewest = kFewestLayers * plan.model_stages();
  sample.model.layers = std::min(model.layers, std::max(fewest, fitting));
  return sample;
}

}  // namespace

StepSample sample_of(const Model& model, const Plan& plan) {
  return sample_of(model, plan, std::ssize(step_roles(model, plan).ranks));
}

StepValidation validate_step(const Model& model, const Plan& plan, const DeviceTraits& traits,
                             const Program* rank0) {
  const StepRoles roles = step_roles(model, plan);
  const auto [small, cut] = sample_of(model, plan, std::ssize(roles.ranks));
  const bool whole = small == plan && cut.layers == model.layers;
  Cast cast{.programs = {}, .role_of = roles.role_of, .axes = groups_of(StepGroups(model, plan))};
  std::deque<Program> built;  // which leaves what it holds in its place
  for (const std::int32_t rank : roles.ranks) {
    const bool at_hand = whole && rank == 0 && rank0 != nullptr;
    cast.programs.push_back(at_hand ? rank0
                                    : &built.emplace_back(step_program(cut, small, rank, traits)));
  }
  validate(cast);
  return {.ranks = std::ssize(roles.role_of),
          .roles = std::ssize(roles.ranks),
          .micro_steps = small.accumulation,
          .layers = cut.layers,
          .whole = whole};
}

}  // namespace stepmark
