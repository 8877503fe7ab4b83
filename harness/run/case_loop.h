// SPDX-License-Identifier: Apache-2.0
// The cases of one repetition, one after the other: each its share of the time that is left, its
// deadline, its line in the journal; and the end before all are done when a signal asks for it.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "core/control.h"
#include "core/error.h"
#include "harness/run/guard.h"
#include "harness/run/one_case.h"
#include "harness/run/progress.h"
#include "harness/run/repeat.h"
#include "harness/run/run_journal.h"

namespace stepmark {

class CaseLoop {
 public:
  // `run_journal`: on rank 0; null elsewhere. What it refers to outlives it.
  CaseLoop(const CaseSettings& settings, Repeat& repeat, RunGuard& guard, RunJournal* run_journal);

  // Collective. kCheckFailed over kNotMeasured over kOk; rank 0's on every rank.
  [[nodiscard]] ExitCode run(std::span<Case* const> todo);
  // A signal asked to stop: the rest has its lines in the journal, and no repetition follows.
  [[nodiscard]] bool stopped_early() const { return stopped_early_; }

 private:
  struct CaseStart {
    double budget_s;
    int asked_by;  // the rank that was asked to finish; -1: none
    int signal;
  };

  // Before each case, in one exchange: rank 0's budget, and whether any rank was asked to finish.
  CaseStart start_case(double share);
  // Until the next repetition begins; asks once a second whether a rank was asked to finish.
  CaseStart pause();
  // The rest of the cases are not measured; the run then ends as any other, with its tables.
  void stop_early(const CaseStart& start, std::span<Case* const> todo, std::size_t done);
  // Time of the repetition's budget that is left.
  [[nodiscard]] double left_s() const;
  // `next`: the case after it, or empty.
  void measure(Case& one, double budget_s, const std::string& next, ProgressLine& progress);
  [[nodiscard]] ExitCode code() const;
  Control& control() { return settings_.control; }
  [[nodiscard]] bool is_root() { return control().rank() == 0; }

  CaseSettings settings_;
  Repeat& repeat_;
  RunGuard& guard_;
  RunJournal* run_journal_;
  OpChecks op_checks_;
  double begin_s_ = 0;
  double budget_s_ = 0;  // of this repetition
  bool check_failed_ = false;
  bool missing_ = false;
  bool stopped_early_ = false;
};

}  // namespace stepmark
