// SPDX-License-Identifier: Apache-2.0
// What can be said of a step before it runs: work, traffic and memory. The one place that counts
// them, for plans, for records of measured steps, and for whatever predicts a step.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>

#include "harness/program/padding.h"
#include "harness/program/program.h"
#include "harness/spec/model.h"
#include "harness/spec/plan.h"

namespace stepmark {

struct StepTraffic {
  int ranks = 0;
  std::map<std::string, int> calls;  // per step, by verb
  double bus_bytes = 0;              // that a rank puts on the links per step
};

struct StepFacts {
  // Of the whole step.
  double tokens = 0;
  double parameters = 0;
  double model_flops = 0;         // 6N + 12LHQT per token
  double causal_model_flops = 0;  // attention counted causally
  // Of one rank.
  Padding padding;                             // and the FLOPs of the kernels without it
  std::map<std::string, StepTraffic> traffic;  // by axis
  std::int64_t buffer_bytes = 0;               // all buffers, added up
  std::int64_t peak_bytes = 0;                 // what they need at a time (memory_plan.h)
  std::int64_t optimizer_bytes = 0;            // state: moments and master copy
};

// `program` is step_program() of these arguments and any rank; `other` a form of it that a run may
// try in the same memory, if any.
[[nodiscard]] StepFacts facts_of_step(const Model& model, const Plan& plan, const Program& program,
                                      const DeviceTraits& traits, const Program* other = nullptr);

// The peak of a step program, of both forms of the optimizer where a run may try both: the largest
// of any rank, of those of a stage, and of one. Looks no further than more than `enough`. Built for
// two micro-steps, which is quick; further ones use their buffers again and add their tokens and
// targets. Of pipelines all are built, of long ones so many that all sets of activations are in
// use: further ones find places for what is received within a few messages' size of that.
inline constexpr std::int64_t kNoMemoryLimit = std::numeric_limits<std::int64_t>::max();
[[nodiscard]] std::int64_t step_memory_bytes(const Model& model, const Plan& plan,
                                             const DeviceTraits& traits = {},
                                             std::int64_t enough = kNoMemoryLimit);
[[nodiscard]] std::int64_t stage_memory_bytes(const Model& model, const Plan& plan,
                                              const DeviceTraits& traits, std::int32_t stage,
                                              std::int64_t enough = kNoMemoryLimit);
[[nodiscard]] std::int64_t rank_memory_bytes(const Model& model, const Plan& plan,
                                             const DeviceTraits& traits, std::int32_t rank);
// Of a stage of the pipeline: how many sets of activations are in use at a time.
[[nodiscard]] std::int32_t sets_in_flight(const Plan& plan, std::int32_t rank);

// Work of the step alone, which takes no program.
[[nodiscard]] double model_flops(const Model& model, const Plan& plan);
[[nodiscard]] double causal_model_flops(const Model& model, const Plan& plan);

}  // namespace stepmark
