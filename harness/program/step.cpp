// SPDX-License-Identifier: Apache-2.0
#include "harness/program/step.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/rng.h"
#include "harness/program/fuse.h"
#include "harness/program/lowering/lowering.h"

namespace stepmark {

Mesh step_mesh(const Plan& plan) {
  return Mesh({{.name = kTensorAxis, .degree = static_cast<std::int32_t>(plan.tp)},
               {.name = kDataAxis, .degree = static_cast<std::int32_t>(plan.dp)}});
}

Program step_program(const Model& model, const Plan& plan, std::int32_t rank,
                     const DeviceTraits& traits) {
  return fuse(unfused_step_program(model, plan, rank, traits));
}

bool optimizer_beside_backward(const Program& program) {
  const auto& streams = program.streams;
  return std::find(streams.begin(), streams.end(), kOptimizerStream) != streams.end();
}

Program unfused_step_program(const Model& model, const Plan& plan, std::int32_t rank,
                             const DeviceTraits& traits) {
  Lowering lowering(model, plan, rank, traits);
  for (std::int64_t micro = 0; micro < plan.accumulation; ++micro) {
    lowering.builder().set_phase(Phase::forward);
    lowering.embedding_forward(micro);
    for (std::int64_t layer = 0; layer < model.layers; ++layer) {
      lowering.attention_forward(layer);
      lowering.mlp_forward(layer);
    }
    lowering.head_forward_backward(micro);
    const bool last = micro + 1 == plan.accumulation;
    if (last) {
      lowering.gradients_complete("head");
      lowering.gradients_complete("final_norm");
    }
    for (std::int64_t layer = model.layers; layer-- > 0;) {
      lowering.mlp_backward(layer, micro);
      lowering.attention_backward(layer, micro);
      if (last) lowering.gradients_complete(fmt::format("layer{}", layer));
    }
    lowering.embedding_backward(micro);
    if (last) lowering.gradients_complete("");
  }
  lowering.optimizer();
  return std::move(lowering).take();
}

std::int32_t synthetic_token(const Model& model, std::uint64_t seed, std::int64_t sequence,
                             std::int64_t position) {
  const Philox rng(seed, static_cast<std::uint64_t>(sequence));
  return static_cast<std::int32_t>(
      rng.below(static_cast<std::uint64_t>(position), static_cast<std::uint64_t>(model.vocab)));
}

}  // namespace stepmark
