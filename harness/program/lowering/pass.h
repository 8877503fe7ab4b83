// SPDX-License-Identifier: Apache-2.0
// What the parts of a step are lowered for at a time. Internal to harness/program.
#pragma once

#include <cstdint>

#include "harness/spec/stages.h"

namespace stepmark {

// One or two slots of a schedule (schedule/schedule.h): a forward, or a backward pass that computes
// gradients with respect to what came in, to the weights, or both.
struct Pass {
  ModelStage stage;
  std::int64_t micro = 0;
  std::int32_t set = 0;    // of activations that it has
  std::int32_t entry = 0;  // and the place of what came in from the stage before
  bool forward = true, inputs = false, weights = false;
  std::int32_t turn = 0;  // of two gradients of the residual stream: one is used, one on its way
  // Whether gradients of another micro-batch are there to be added to: of what is computed beside
  // the gradients with respect to inputs (norms, head), and of weights.
  bool adds_to_norms = false, adds_to_weights = false;
  bool adds_to_loss = false;
  bool last = false;  // of its stage: its gradients are complete
  [[nodiscard]] bool split() const { return inputs != weights; }
};

}  // namespace stepmark
