// SPDX-License-Identifier: Apache-2.0
// The statistics of all cases of two sides together. For results/compare, and results/across.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/stats.h"
#include "results/compare/compare.h"
#include "results/compare/node_level.h"

namespace stepmark {

using Groups = std::vector<std::vector<double>>;  // [run][sample]

// Steady samples per run of both sides of a case; `history`: of runs that only tell the spread, an
// empty vector where a run lacks the case.
struct CaseSamples {
  std::string family;
  Groups baseline, candidate, history;
};

// What one run differs by from another, of which the error of a comparison with other numbers of
// runs or samples follows.
struct RunErrors {
  ErrorPart common, own;  // relative sd of one run, as far as known now
  double sampled_sd = 0;  // part of `own` that more samples of a run would reduce
  double tick_sd = 0;     // of the ratio, from a coarse clock: whatever the runs
  double baseline_runs = 0, candidate_runs = 0;
};

struct CaseStatistics {
  double ratio = 1;
  Interval interval{0, 0};    // of the ratio, between-run spread included
  Interval within_run{0, 0};  // from the samples' own chance alone
  double p_different = 1;     // of "within the margin", both directions, for all cases together
  double p_not_same = 1;      // of "beyond the margin", likewise
  double minimum_detectable = 0;
  Spread spread = Spread::measured;
  double common_sd = 0, own_sd = 0;                // of one run; relative
  double drift_baseline = 0, drift_candidate = 0;  // largest of the side's runs; 0: none
  double tick_s = 0;                               // of a coarse clock; 0: none shows
  RunErrors run_errors;
};

// Rule, sources and reasons: case_statistics.cpp.
// At `level` nodes their means are the runs, and whatever counts runs counts nodes.
[[nodiscard]] std::vector<CaseStatistics> compare_cases(std::span<const CaseSamples> cases,
                                                        const CompareOptions& options,
                                                        const NodeLevel& level = {});

}  // namespace stepmark
