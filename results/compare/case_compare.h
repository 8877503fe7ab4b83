// SPDX-License-Identifier: Apache-2.0
// The statistics of one case on two sides. Internal to results/compare.
#pragma once

#include <span>

#include "core/stats.h"
#include "results/compare/compare.h"

namespace stepmark {

// Relative sd by which one run of a case is expected to differ from another of the same thing.
struct BetweenRunSd {
  double sd = 0;
  bool assumed = true;            // false: measured, from repetitions
  double degrees_of_freedom = 0;  // of the measurement; 0 when assumed
};

// `runs`: steady samples per run. See case_compare.cpp for the rule.
[[nodiscard]] BetweenRunSd between_run_sd(const Groups& baseline, const Groups& candidate);

struct CaseStatistics {
  RatioEstimate ratio;
  BetweenRunSd between;
  double standard_error = 0;      // of log ratio
  double p_beyond_margin = 1;     // one-sided, of "|log ratio| <= log(1 + margin)"
  bool within_margin = false;     // two one-sided tests (equivalence)
  double minimum_detectable = 0;  // relative, with 80 % power
};
[[nodiscard]] CaseStatistics compare_samples(const Groups& baseline, const Groups& candidate,
                                             const CompareOptions& options);

// Why the records cannot be compared, or empty: other parameters, provenance, invalid timing ...
[[nodiscard]] std::string why_not_comparable(const Record& baseline, const Record& candidate);

}  // namespace stepmark
