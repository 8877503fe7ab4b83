// SPDX-License-Identifier: Apache-2.0
// The journal of a run at its start: new, or one that goes on, and what is then left to measure.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/control.h"
#include "harness/cases/case.h"
#include "harness/run/config.h"
#include "harness/run/options.h"
#include "harness/run/repeat.h"
#include "harness/run/run_journal.h"
#include "results/record/journal.h"

namespace stepmark {

struct OpenedJournal {
  std::string path;                         // on rank 0
  std::unique_ptr<RunJournal> run_journal;  // on rank 0
  std::vector<Case*> todo;                  // of this repetition, in the order of the suite
};

// Collective. Rank 0 creates or continues the journal and tells the others what is to be measured,
// and in which repetitions. Error(kUsage) when a journal cannot be gone on with (cases_to_keep).
[[nodiscard]] OpenedJournal open_journal(Control& control, const RunOptions& options,
                                         const RunConfig& config, RunHeader header, Repeat& repeat);

// Ids of the cases that were measured in a repetition. Error(kUsage), naming what differs, when the
// journal is of another configuration, another world size or another build: resuming would mix two
// runs in one file. Budget, precision and descriptions may change.
[[nodiscard]] std::set<std::string> cases_to_keep(const Run& run, const RunHeader& header,
                                                  int repetition = 1);

// "stepmark-quick-20260131-142501.smk", in the current folder.
[[nodiscard]] std::string default_journal_name(const std::string& suite);

}  // namespace stepmark
