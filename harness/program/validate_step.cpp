// SPDX-License-Identifier: Apache-2.0
#include "harness/program/validate_step.h"

#include <algorithm>
#include <vector>

#include "harness/program/validate.h"

namespace stepmark {
namespace {

// Ranks x micro-steps x layers whose programs are held at a time: about 20 ops of 500 bytes each.
constexpr std::int64_t kMost = 16'000;
// Groups of as many ranks as there are programs make the check quadratic in the ranks.
constexpr std::int64_t kMostRanks = 64;
constexpr std::int64_t kMicroSteps = 3;  // first, middle, last
constexpr std::int64_t kFewestLayers = 2;
constexpr std::int64_t kReplicas = 2;

}  // namespace

StepSample sample_of(const Model& model, const Plan& plan) {
  StepSample sample{.plan = plan, .model = model};
  const auto size = [&] { return sample.plan.tp * sample.plan.dp * sample.plan.accumulation; };
  if (size() * model.layers <= kMost && plan.tp * plan.dp <= kMostRanks) return sample;
  sample.plan.dp = std::min(plan.dp, kReplicas);
  if (size() * model.layers > kMost) {
    sample.plan.accumulation = std::min(plan.accumulation, kMicroSteps);
  }
  sample.model.layers =
      std::min(model.layers, std::max(kFewestLayers, kMost / std::max<std::int64_t>(1, size())));
  return sample;
}

StepValidation validate_step(const Model& model, const Plan& plan, const DeviceTraits& traits) {
  const auto [small, cut] = sample_of(model, plan);
  const std::int64_t ranks = small.tp * small.dp;
  std::vector<Program> programs;
  for (std::int64_t rank = 0; rank < ranks; ++rank) {
    programs.push_back(step_program(cut, small, static_cast<std::int32_t>(rank), traits));
  }
  validate(programs);
  return {.ranks = ranks,
          .micro_steps = small.accumulation,
          .layers = cut.layers,
          .whole = small == plan && cut.layers == model.layers};
}

}  // namespace stepmark
