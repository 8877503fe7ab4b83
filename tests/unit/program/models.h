// SPDX-License-Identifier: Apache-2.0
// Small models of both families, divisible by 8 except for the vocabulary.
#pragma once

#include "harness/program/step.h"

namespace stepmark {

inline Model small_gpt2() {
  return {.name = "small-gpt2",
          .family = ModelFamily::gpt2,
          .layers = 2,
          .hidden = 32,
          .heads = 8,
          .kv_heads = 8,
          .head_dim = 4,
          .ffn = 64,
          .vocab = 101,
          .max_seq = 16,
          .tied_embeddings = true};
}

inline Model small_llama() {
  return {.name = "small-llama",
          .family = ModelFamily::llama,
          .layers = 2,
          .hidden = 32,
          .heads = 16,
          .kv_heads = 8,
          .head_dim = 2,
          .ffn = 48,
          .vocab = 101,
          .max_seq = 16,
          .tied_embeddings = false};
}

// Programs of all ranks.
inline std::vector<Program> all_ranks(const Model& model, const Plan& plan) {
  std::vector<Program> programs;
  for (std::int32_t rank = 0; rank < plan.ranks(); ++rank) {
    programs.push_back(step_program(model, plan, rank));
  }
  return programs;
}

}  // namespace stepmark
