// SPDX-License-Identifier: Apache-2.0
// Figures in a file follow from its samples; what a file says instead is not shown. Internal to
// results/record.
#pragma once

#include <cstdint>
#include <functional>

#include "results/record/record.h"

namespace stepmark {

enum class Recomputed : std::uint8_t {
  agrees,      // or nothing to compute: not a measured case
  differs,     // summaries or metrics were others; now they are those of the samples
  impossible,  // neither samples nor an imported summary of its time; the record is as it was
};

// Fills summaries and metrics from series, numbers and texts. What follows from what is the
// families' knowledge, which this folder does not have.
using Derive = std::function<void(Record&)>;

// Replaces summaries and metrics by those that `derive` makes; without it they stay as they are.
[[nodiscard]] Recomputed recompute(Record& record, const Derive& derive);

}  // namespace stepmark
