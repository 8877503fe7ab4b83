// SPDX-License-Identifier: Apache-2.0
// Shares out layers so that stages differ by one at most.
#include "harness/spec/stages.h"

#include <algorithm>

namespace stepmark {

std::vector<ModelStage> model_stages(const Model& model, const Plan& plan, std::int32_t place) {
  const std::int64_t stages = plan.pp * plan.chunks;
  const std::int64_t least = model.layers / stages, larger = model.layers % stages;
  std::vector<ModelStage> result;
  for (std::int64_t stage = place; stage < stages; stage += plan.pp) {
    const std::int64_t begin = stage * least + std::min(stage, larger);
    result.push_back({.index = static_cast<std::int32_t>(stage),
                      .begin = begin,
                      .end = begin + least + (stage < larger ? 1 : 0),
                      .first = stage == 0,
                      .last = stage + 1 == stages});
  }
  return result;
}

}  // namespace stepmark
