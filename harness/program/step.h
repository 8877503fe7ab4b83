// SPDX-License-Identifier: Apache-2.0
// From model and plan to the program of one training step: forward, loss, backward with gradient
// synchronisation overlapped, gradient norm and clip, AdamW.
#pragma once

#include <cstdint>
#include <span>

#include "harness/program/program.h"
#include "harness/program/schedule/schedule.h"
#include "harness/spec/model.h"
#include "harness/spec/param_layout.h"
#include "harness/spec/plan.h"
#include "harness/spec/step_mesh.h"

namespace stepmark {

// The program of `rank`, neighbouring kernels fused (fuse.h). `plan` must be resolved; `model` is
// the one that runs (a slice already cut); `traits` are those of the device that is to run it:
// which dims are padded (padding.h). optimizer_overlap on: AdamW beside the backward pass; else
// after it. Both forms have the same buffers in the same order.
[[nodiscard]] Program step_program(const Model& model, const Plan& plan, std::int32_t rank,
                                   const DeviceTraits& traits = {});
// Whether the program does something for the optimizer beside the backward pass. The overlapped
// form of a model none of whose ranges is final earlier does not.
[[nodiscard]] bool optimizer_beside_backward(const Program& program);
// The same before joining, to compare with.
[[nodiscard]] Program unfused_step_program(const Model& model, const Plan& plan, std::int32_t rank,
                                           const DeviceTraits& traits = {});
// The same with its micro-batches in the order of `slots`, which may be of another schedule for the
// rank's place. As many activations are in memory as are in flight.
[[nodiscard]] Program unfused_step_program(const Model& model, const Plan& plan, std::int32_t rank,
                                           const DeviceTraits& traits, std::span<const Slot> slots);

// Where in the pipeline of the plan a rank is; without one, the only stage.
[[nodiscard]] PipelinePlace place_of(const Plan& plan, std::int32_t rank);

// The stream of the overlapped optimizer: what on it is needed by the end of the step only, so
// devices let all other streams go first ("-low").
inline constexpr const char* kOptimizerStream = "optimizer-low";

// Names of the buffers that a runner fills and reads: tokens on the first stage, targets and loss
// on the last one.
inline constexpr const char* kParamBuffer = "params";  // flat, plan's precision
inline constexpr const char* kMasterBuffer =
    "master";  // fp32, as the optimizer's state lies; only when precision is not fp32
inline constexpr const char* kGradBuffer = "grads";       // flat fp32
inline constexpr const char* kTokensBuffer = "tokens";    // int32 (accumulation, micro_batch, seq)
inline constexpr const char* kTargetsBuffer = "targets";  // int32, same shape
inline constexpr const char* kRoutingBuffer =
    "routing";  // int32 (layers of the rank, routed tokens, top_k); only where a seed routes
inline constexpr const char* kAuxLossBuffer =
    "aux_loss";  // fp32: load-balancing loss of the layers of the rank's stages, added up; only
                 // with experts
inline constexpr const char* kLossBuffer = "loss";  // fp32, mean over the global batch's tokens
inline constexpr const char* kNormBuffer =
    "norm_and_scale";  // fp32 (2): global gradient norm, clip scale; absent where no norm is
                       // computed

// Token `position` of sequence `sequence` of the synthetic data set: uniform over the vocabulary, a
// pure function. The target of a position is the next token.
[[nodiscard]] std::int32_t synthetic_token(const Model& model, std::uint64_t seed,
                                           std::int64_t sequence, std::int64_t position);

}  // namespace stepmark
