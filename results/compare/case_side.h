// SPDX-License-Identifier: Apache-2.0
// What the samples of one side say of a case. Internal to results/compare.
#pragma once

#include <limits>
#include <span>
#include <vector>

#include "results/compare/case_statistics.h"

namespace stepmark {

struct Side {
  std::vector<double> log_medians;  // per run; NaN where a run lacks the case
  double within = 0;                // mean variance of a log median from its own samples
  double sampled = 0;               // of that what more samples would reduce: no drift
  double within_freedom =
      std::numeric_limits<double>::infinity();  // of the mean over the side's runs
  double drift = 0;                             // largest
  double runs = 0;                              // that have the case
  double log_median = 0;                        // mean over these
};

// Sorted values of every run are added to `sorted`.
[[nodiscard]] Side side_of(const Groups& runs, double confidence, Groups& sorted);

// The means over each node's runs take the runs' place, NaN where a node has none of the case.
void fold(Side& side, std::span<const std::size_t> node_of_run, std::size_t nodes);

// Of both sides only the nodes that have the case on both; their means are those of these nodes.
// Sides that share none stay as they are.
void keep_pairs(Side& a, Side& b);

}  // namespace stepmark
