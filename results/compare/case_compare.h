// SPDX-License-Identifier: Apache-2.0
// The statistics of one case on two sides. Internal to results/compare.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/stats.h"
#include "results/compare/compare.h"

namespace stepmark {

// Steady samples per run of both sides of a case.
struct CaseSamples {
  std::string family;
  Groups baseline, candidate;
};

// Per case: relative sd by which one run is expected to differ from another of the same thing,
// where no repetitions measure it. Rule and reasons: case_compare.cpp.
[[nodiscard]] std::vector<double> assumed_between_run_sd(std::span<const CaseSamples> cases,
                                                         const CompareOptions& options);

struct CaseStatistics {
  RatioEstimate ratio;
  double assumed_sd = 0;       // used for a side of one run
  double p_beyond_margin = 1;  // one-sided, of "the ratio is within the margin"
  bool within_margin = false;  // two one-sided tests (equivalence)
  // Relative slow-down found with 80 % power; margin and Holm's correction over `cases` included.
  double minimum_detectable = 0;
};
[[nodiscard]] CaseStatistics compare_samples(const CaseSamples& samples, double assumed_sd,
                                             std::size_t cases, const CompareOptions& options);

// Why the records cannot be compared, or empty: other parameters, provenance, invalid timing ...
[[nodiscard]] std::string why_not_comparable(const Record& baseline, const Record& candidate);

}  // namespace stepmark
