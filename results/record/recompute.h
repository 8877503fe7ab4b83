// SPDX-License-Identifier: Apache-2.0
// Figures in a file follow from its samples; what a file says instead is not shown. Internal to
// results/record.
#pragma once

#include <cstdint>

#include "results/record/record.h"

namespace stepmark {

enum class Recomputed : std::uint8_t {
  agrees,      // or nothing to compute: not a measured case
  differs,     // summaries or metrics were others; now they are those of the samples
  impossible,  // no samples of its time; the record is as it was
};

// Replaces summaries and metrics by those that follow from series, numbers and texts.
[[nodiscard]] Recomputed recompute(Record& record);

}  // namespace stepmark
