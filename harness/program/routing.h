// SPDX-License-Identifier: Apache-2.0
// Experts that tokens are sent to by a seed and not by the router (Plan::routing uniform, zipf). A
// choice is a pure function of seed, layer and position in the sequence: plans of any degrees send
// the same tokens to the same experts, sequences alike, so that a program is known before it runs
// and ranks that see other sequences have the same one.
#pragma once

#include <cstdint>
#include <vector>

#include "harness/spec/model.h"
#include "harness/spec/plan.h"

namespace stepmark {

// Tokens of a micro-step that a rank routes: those that it and its tensor-parallel ranks see, or,
// where experts are not split as all else is, its own share of them.
struct RoutedTokens {
  std::int64_t first = 0, tokens = 0;  // of (micro_batch, rank_seq)
};
[[nodiscard]] RoutedTokens routed_tokens(const Plan& plan, std::int32_t rank);

// The experts of each position of a sequence: (seq, top_k), those of a position all different.
// `plan` must be resolved.
[[nodiscard]] std::vector<std::int32_t> seeded_choices(const Model& model, const Plan& plan,
                                                       std::int64_t layer);
// Of `choices` those of the tokens that a rank routes: (tokens, top_k).
[[nodiscard]] std::vector<std::int32_t> choices_of_rank(const std::vector<std::int32_t>& choices,
                                                        const Model& model, const Plan& plan,
                                                        std::int32_t rank);
// By expert.
[[nodiscard]] std::vector<std::int64_t> counts_of(const std::vector<std::int32_t>& choices,
                                                  std::int64_t experts);

// How unevenly tokens are spread over experts, and over the ranks that have them: the largest load
// over the mean, on average over layers. 1: all alike.
struct RoutingLoad {
  double of_expert = 1, of_rank = 1;
};
[[nodiscard]] RoutingLoad routing_load(const Model& model, const Plan& plan);

}  // namespace stepmark
