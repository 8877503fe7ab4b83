// SPDX-License-Identifier: Apache-2.0
// Which part of the model each stage of its pipeline has. The model is cut into pp x chunks stages
// of neighbouring layers; chunk q of rank r's is stage q pp + r of the model (Megatron-LM
// transformer_block.py). Where the layers do not divide, the first stages take one more each: the
// last one has the final norm, head and loss beside its layers.
#pragma once

#include <cstdint>
#include <vector>

#include "harness/spec/model.h"
#include "harness/spec/plan.h"

namespace stepmark {

// Layers [begin, end) of the model; the first stage has the embedding before them, the last one
// final norm, head and loss behind them.
struct ModelStage {
  std::int32_t index = 0;
  std::int64_t begin = 0, end = 0;
  bool first = true, last = true;
  bool operator==(const ModelStage&) const = default;
};

// Those of a place in the pipeline (StepMesh::stage), by chunk. `plan` must be legal for `model`,
// which is the one that runs.
[[nodiscard]] std::vector<ModelStage> model_stages(const Model& model, const Plan& plan,
                                                   std::int32_t place);

}  // namespace stepmark
