// SPDX-License-Identifier: Apache-2.0
// Running one case in a run: what it may use, what becomes of its failure, and what its record says
// of the run around it.
#pragma once

#include "core/control.h"
#include "harness/backend/machine.h"
#include "harness/cases/case.h"
#include "harness/run/config.h"
#include "harness/run/guard.h"
#include "harness/run/options.h"
#include "harness/run/repeat.h"
#include "results/record/record.h"

namespace stepmark {

// The same for all cases of a repetition.
struct CaseSettings {
  Control& control;
  Machine& machine;
  const RunOptions& options;
  const RunConfig& config;
  bool oversubscribed;  // the ranks take turns on their cores
  const PeakReference& reference;
  const DevicePeaks& peaks;
  const LinkReference& links;
};

// Collective. The case's record as it is kept, without derived metrics: complete on rank 0. A case
// that throws has failed on all ranks; the others have `guard`'s grace to come out of it.
// `op_checks`: of the run so far.
[[nodiscard]] Record measure_case(Case& one, const CaseSettings& settings, double budget_s,
                                  const Repeat& repeat, RunGuard& guard, OpChecks& op_checks,
                                  const Progress& progress);

}  // namespace stepmark
