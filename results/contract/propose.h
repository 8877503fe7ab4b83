// SPDX-License-Identifier: Apache-2.0
// A draft of terms from runs: what was reached, less a margin, as something to negotiate from.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "results/contract/run_result.h"
#include "results/contract/terms.h"

namespace stepmark {

struct ProposeOptions {
  double quantile = 0.5;             // of run medians, which the floor is drafted from and held for
  double confidence = 0.95;          // written into the floors
  double margin = 0.02;              // by which they are less (or more) than that
  std::int64_t gpus_per_node = 0;    // 0: the runs' hosts must say it
  std::string metric;                // empty: the first that the case's family shows
  std::vector<std::string> filters;  // only cases whose id contains one; none: all
};

struct ProposedFloor {
  Floor floor;
  double estimate = 0, worst = 0;  // of the run medians' figures
  std::size_t runs = 0, journals = 0;
  Provenance provenance = Provenance::measured;
};

struct Proposal {
  std::vector<ProposedFloor> floors;
  std::vector<std::string> left_out;  // cases, and why
  std::vector<StackFact> stack;       // what all runs share
  TimeSpan valid;                     // a year from the day of the first run
  std::int64_t nodes = 0, gpus_per_node = 0;
  ProposeOptions options;
};

// Error(kUsage) where nothing tells the GPUs of a node; Error(kNotMeasured) where no case has two
// runs: a floor from a single run would be a guess about all others.
[[nodiscard]] Proposal propose(std::span<const Run> runs, const ProposeOptions& options);

}  // namespace stepmark
