// SPDX-License-Identifier: Apache-2.0
// Walks the slots of a schedule and lowers each into forward or backward pass, in the set of
// activations that in_flight() gives it; after the last backward pass of a range of gradients their
// reduction is issued, beside what is left to compute.
#include "harness/program/step.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "core/rng.h"
#include "harness/program/fuse.h"
#include "harness/program/lowering/lowering.h"

namespace stepmark {

namespace {

void forward_pass(Lowering& lowering) {
  lowering.builder().set_phase(Phase::forward);
  lowering.embedding_forward();
  for (std::int64_t layer = 0; layer < lowering.model().layers; ++layer) {
    lowering.attention_forward(layer);
    lowering.mlp_forward(layer);
  }
}

// Head and loss belong to it: their activations need not wait for it.
void backward_pass(Lowering& lowering, bool last) {
  lowering.builder().set_phase(Phase::forward);
  lowering.head_forward_backward();
  if (last) {
    lowering.gradients_complete("head");
    lowering.gradients_complete("final_norm");
  }
  for (std::int64_t layer = lowering.model().layers; layer-- > 0;) {
    lowering.mlp_backward(layer);
    lowering.attention_backward(layer);
    if (last) lowering.gradients_complete(fmt::format("layer{}", layer));
  }
  lowering.embedding_backward();
  if (last) lowering.gradients_complete("");
}

}  // namespace

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
  const PipelinePlace alone{.micro_batches = static_cast<std::int32_t>(plan.accumulation)};
  return unfused_step_program(model, plan, rank, traits, slots_of(find_schedule("1f1b"), alone));
}

Program unfused_step_program(const Model& model, const Plan& plan, std::int32_t rank,
                             const DeviceTraits& traits, std::span<const Slot> slots) {
  const InFlight sets = in_flight(slots);
  STEPMARK_REQUIRE(std::ssize(slots) == 3 * plan.accumulation, "{} slots for {} micro-batches",
                   slots.size(), plan.accumulation);
  Lowering lowering(model, plan, rank, traits);
  std::int64_t backwards = 0;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const Slot& slot = slots[i];
    STEPMARK_REQUIRE(slot.chunk == 0 && slot.micro < plan.accumulation,
                     "micro-batch {} of chunk {} of a step of {} in one chunk", slot.micro,
                     slot.chunk, plan.accumulation);
    lowering.begin_pass(slot.micro, sets.set_of[i], backwards > 0);
    if (slot.work == Work::forward) {
      forward_pass(lowering);
      continue;
    }
    const Slot weight{.work = Work::backward_weight, .micro = slot.micro};
    STEPMARK_REQUIRE(i + 1 < slots.size() && slots[i + 1] == weight,
                     "the backward pass of micro-batch {} is split, which cannot be lowered",
                     slot.micro);
    ++i;
    backward_pass(lowering, ++backwards == plan.accumulation);
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
