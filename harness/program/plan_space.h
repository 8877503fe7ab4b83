// SPDX-License-Identifier: Apache-2.0
// All legal plans of one work (model, global batch, precision) on so many ranks: what a list
// chooses from. One line of the table in plan_space.cpp is one key of plans; legality is nowhere
// said again.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness/spec/model.h"
#include "harness/spec/plan.h"

namespace stepmark {

struct PlanSpace {
  std::int64_t ranks = 1;
  std::int64_t global_batch = 1;     // sequences per step
  std::int64_t scale_up_domain = 8;  // accelerators; tensor parallelism stays within
};

// Resolved, each once. What is not enumerated (cp and its kind, precision, seq, slice, optimizer)
// is that of `base`; so is how ranks exchange (p2p, tp_overlap, tp_chunks, prefetch, grad_sync,
// gather, reduce) where a plan can have it. Sequence parallelism goes with tensor parallelism
// wherever it can.
[[nodiscard]] std::vector<Plan> legal_plans(const Model& model, const Plan& base,
                                            const PlanSpace& space);

// Why what is not enumerated goes with no plan; nothing where it goes with data parallelism alone.
[[nodiscard]] std::optional<std::string> why_base_illegal(const Model& model, const Plan& base,
                                                          const PlanSpace& space);

// Which links carry an axis: those within scale-up domains, those between them, or both.
enum class Tier : std::uint8_t { scale_up, scale_out, both };
[[nodiscard]] const char* name_of(Tier tier);  // "scale-up", "scale-out", "both"
// By axis as in StepFacts::traffic.
[[nodiscard]] std::map<std::string, Tier> tiers_of(const Model& model, const Plan& plan,
                                                   std::int64_t scale_up_domain);

}  // namespace stepmark
