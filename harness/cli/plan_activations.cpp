// SPDX-License-Identifier: Apache-2.0
// Bytes and FLOPs are counted in the program; docs/measuring.md has the formulas that they equal.
#include "harness/cli/plan_activations.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/units.h"
#include "harness/program/activation_facts.h"

namespace stepmark {

std::string activations_text(const Plan& plan, const Program& program, std::int32_t in_flight) {
  const ActivationFacts facts = activation_facts(program);
  std::string text = fmt::format(
      "activations: {} kept of each layer and micro-batch for its backward pass, {} "
      "layers, {} in flight; recompute={}",
      format_bytes(static_cast<double>(facts.most_kept_bytes())), facts.kept_bytes.size(),
      in_flight, name_of(plan.recompute));
  if (plan.recompute != Recompute::none) {
    text += fmt::format(": {}FLOP computed again, {:.2f} % of the kernels' (in HFU, not in MFU)",
                        format_count(facts.recomputed_flops),
                        100 * facts.recomputed_flops / kernel_flops(program));
  }
  return text + "\n";
}

nlohmann::json activations_json(const Plan& plan, const Program& program) {
  const ActivationFacts facts = activation_facts(program);
  return {{"recompute", name_of(plan.recompute)},
          {"kept_bytes_per_layer", facts.most_kept_bytes()},
          {"layers", facts.kept_bytes.size()},
          {"recomputed_flops_per_rank", facts.recomputed_flops}};
}

}  // namespace stepmark
