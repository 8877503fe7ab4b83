// SPDX-License-Identifier: Apache-2.0
// Figures in a file follow from its samples; what a file says instead is not shown. Internal to
// results/record.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

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

// What a record claims and what this program computes from its samples, figure by figure.
struct ClaimedFigures {
  int confirmed = 0;                 // summaries and metrics that follow from the samples
  std::vector<std::string> untrue;   // "metric busbw: 412 in the file, 398.1 follows"
  std::vector<std::string> unknown;  // metrics that this program does not compute
};
// `claimed` as a file has it. Metrics that the file lacks are no claim.
[[nodiscard]] ClaimedFigures check_claims(const Record& claimed, const Derive& derive);

}  // namespace stepmark
