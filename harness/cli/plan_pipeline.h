// SPDX-License-Identifier: Apache-2.0
// What `plan` says of a pipeline: what each stage has and holds, the order of its micro-batches,
// and what that leaves idle.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/device_traits.h"
#include "harness/program/schedule/slot_grid.h"
#include "harness/spec/model.h"
#include "harness/spec/plan.h"
#include "harness/spec/stages.h"

namespace stepmark {

struct PipelineFacts {
  struct Stage {
    std::vector<ModelStage> parts;  // by chunk
    std::int32_t in_flight = 0;     // sets of activations: micro-batches x chunks under way
    std::int64_t peak_bytes = 0;    // of its rank that needs most
  };
  std::vector<Stage> stages;
  SlotGrid grid;

  [[nodiscard]] std::int64_t most_bytes() const;
};

// `model` is the whole one; `plan` is resolved for it.
[[nodiscard]] PipelineFacts pipeline_facts(const Model& model, const Plan& plan,
                                           const DeviceTraits& traits);
// Empty without a pipeline.
[[nodiscard]] std::string pipeline_text(const Plan& plan, const PipelineFacts& facts);
[[nodiscard]] nlohmann::json pipeline_json(const Plan& plan, const PipelineFacts& facts);

}  // namespace stepmark
