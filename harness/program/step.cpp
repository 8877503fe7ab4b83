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

void forward_pass(Lowering& lowering, const Pass& pass) {
  lowering.builder().set_phase(Phase::forward);
  if (pass.stage.first) {
    lowering.enter("embedding");
    lowering.embedding_forward();
  }
  for (std::int64_t layer = pass.stage.begin; layer < pass.stage.end; ++layer) {
    lowering.enter(fmt::format("layer{}", layer));
    lowering.attention_forward(layer);
    lowering.mlp_forward(layer);
  }
  lowering.send_result();
}

// Head and loss belong to it: their activations need not wait for it.
void backward_pass(Lowering& lowering, const Pass& pass) {
  const bool completes = pass.last || (pass.weights && lowering.reduces_every_pass());
  if (pass.stage.last && pass.inputs) {
    lowering.builder().set_phase(Phase::forward);
    lowering.enter("head");
    lowering.head_forward_backward();
  }
  lowering.builder().set_phase(Phase::backward);
  if (pass.stage.last && completes) {
    lowering.gradients_complete("head");
    lowering.gradients_complete("final_norm");
    if (!pass.stage.first) lowering.gradients_complete("embedding");
  }
  for (std::int64_t layer = pass.stage.end; layer-- > pass.stage.begin;) {
    if (pass.inputs) {
      lowering.enter(fmt::format("layer{}", layer));
      lowering.recompute(layer);
    }
    const std::string name = fmt::format("layer{}", layer);
    lowering.mlp_backward(layer);
    if (completes) lowering.gradients_complete(name + ".experts");
    lowering.attention_backward(layer);
    if (completes) lowering.gradients_complete(name);
  }
  if (pass.stage.first && pass.weights) lowering.embedding_backward();
  if (pass.stage.first && completes && lowering.reduces_units()) {
    lowering.gradients_complete("position");
    lowering.gradients_complete("embedding");
  }
  lowering.send_result();
}

// The passes that slots come to: backward slots of one micro-batch next to each other are one.
std::vector<Pass> passes_of(std::span<const Slot> slots, const std::vector<ModelStage>& stages,
                            std::int64_t micro_batches) {
  const InFlight sets = in_flight(slots), entries = in_flight(slots, 1);
  std::vector<std::int64_t> inputs_done(stages.size(), 0), weights_done(stages.size(), 0);
  std::vector<Pass> passes;
  std::int32_t turns = 0;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const Slot& slot = slots[i];
    STEPMARK_REQUIRE(slot.chunk < std::ssize(stages) && slot.micro < micro_batches,
                     "micro-batch {} of chunk {} of a step of {} in {} chunks", slot.micro,
                     slot.chunk, micro_batches, stages.size());
    const auto chunk = static_cast<std::size_t>(slot.chunk);
    Pass pass{.stage = stages[chunk],
              .micro = slot.micro,
              .set = sets.set_of[i],
              .entry = entries.set_of[i],
              .forward = slot.work == Work::forward,
              .inputs = slot.work == Work::backward_input,
              .weights = slot.work == Work::backward_weight};
    const Slot weight{.work = Work::backward_weight, .micro = slot.micro, .chunk = slot.chunk};
    if (pass.inputs && i + 1 < slots.size() && slots[i + 1] == weight) {
      pass.weights = true;
      ++i;
    }
    pass.adds_to_norms = pass.adds_to_loss = inputs_done[chunk] > 0;
    pass.adds_to_weights = weights_done[chunk] > 0;
    if (pass.inputs) ++inputs_done[chunk];
    if (pass.weights) ++weights_done[chunk];
    pass.last = pass.weights && weights_done[chunk] == micro_batches;
    if (stages.size() > 1 || !pass.stage.first || !pass.stage.last) {
      if (pass.inputs && pass.weights) pass.turn = turns++ % 2;
    }
    passes.push_back(pass);
  }
  return passes;
}

// An upper estimate, fusing not counted.
std::size_t expected_ops(const std::vector<Pass>& passes, std::int64_t pieces) {
  constexpr std::int64_t kOfALayer = 24, kOfAPiece = 20, kOfAPass = 16;
  std::int64_t ops = 0;
  for (const Pass& pass : passes) {
    ops += kOfAPass + (kOfALayer + kOfAPiece * (pieces - 1)) * (pass.stage.end - pass.stage.begin);
  }
  return static_cast<std::size_t>(ops);
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
  return unfused_step_program(model, plan, rank, traits,
                              slots_of(find_schedule(plan.schedule), place_of(plan, rank)));
}

PipelinePlace place_of(const Plan& plan, std::int32_t rank) {
  const StepMesh mesh(plan);
  return {.stage = mesh.stage(rank),
          .stages = mesh.stages(),
          .micro_batches = static_cast<std::int32_t>(plan.accumulation),
          .chunks = static_cast<std::int32_t>(plan.chunks)};
}

Program unfused_step_program(const Model& model, const Plan& plan, std::int32_t rank,
                             const DeviceTraits& traits, std::span<const Slot> slots) {
  STEPMARK_REQUIRE(std::ssize(slots) == 3 * plan.accumulation * plan.chunks,
                   "{} slots for {} micro-batches", slots.size(), plan.accumulation);
  Lowering lowering(model, plan, rank, traits);
  const std::vector<Pass> passes = passes_of(slots, lowering.stages(), plan.accumulation);
  lowering.builder().expect_ops(expected_ops(passes, plan.tp_chunks));
  lowering.plan_gathers(passes);
  lowering.begin_step();
  lowering.receive_for(passes.front());
  for (std::size_t i = 0; i < passes.size(); ++i) {
    if (i + 1 < passes.size()) lowering.receive_for(passes[i + 1]);
    lowering.begin_pass(passes[i]);
    passes[i].forward ? forward_pass(lowering, passes[i]) : backward_pass(lowering, passes[i]);
  }
  lowering.gradients_complete("");
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
