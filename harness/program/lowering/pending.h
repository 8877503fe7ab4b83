// SPDX-License-Identifier: Apache-2.0
// How far the parts of a layout of parameters are while a step is lowered: which gradients are
// complete, which units are gathered, what the optimizer may treat. Internal to harness/program.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/program/builder.h"
#include "harness/spec/param_layout.h"

namespace stepmark {

// Of the model, the part whose gradients are complete at once: "layer3", of its experts, which are
// done before its attention is, "layer3.experts".
[[nodiscard]] inline std::string component_of(const Param& param) {
  const std::size_t end = param.name.find('.');
  const bool experts = param.name.compare(end + 1, 8, "experts.") == 0;
  return param.name.substr(0, experts ? param.name.find('.', end + 1) : end);
}

struct PendingBucket {
  std::int64_t missing = 0;  // parameters whose gradients are not complete
  std::size_t update = 0;    // index of the range that it belongs to
};

// Neighbouring buckets, of one section unless they are units, that the optimizer treats at a time.
struct UpdateRange {
  std::size_t begin = 0, end = 0;
  std::int64_t elements = 0;
  std::int64_t missing = 0;  // buckets whose synchronisation is not issued
};

struct PendingUnit {
  std::vector<const Param*> params;
  std::int64_t missing = 0;                   // whose gradients this pass has not completed
  bool reduced = false;                       // in this step
  BufferSlice gradient = {}, params_at = {};  // of the whole unit, where it is now
};

// Of a part of the model ("layer3"), by a pass.
struct UnitUse {
  std::string part;
  std::vector<std::size_t> gathers;   // units
  std::vector<BufferSlice> gathered;  // into, once the gathers are issued
};

// Of units of all that is dense, and of experts that are sharded over other ranks: the places that
// those of layers take in turns.
struct UnitTurns {
  std::int64_t largest_layer = 0, largest_shard = 0;  // elements
  std::int32_t gradient = 1, gather = 1;
};

}  // namespace stepmark
