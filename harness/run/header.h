// SPDX-License-Identifier: Apache-2.0
// The first line of a run's journal, and what of an older journal a resumed run may keep.
#pragma once

#include <set>
#include <string>

#include "harness/backend/backends.h"
#include "harness/backend/resources.h"
#include "harness/cli/options.h"
#include "harness/run/config.h"
#include "harness/run/peers.h"
#include "results/record/journal.h"

namespace stepmark {

// Collective: the environments of all ranks are compared, and what differs between them is a fact
// of its own. Complete on rank 0.
[[nodiscard]] RunHeader make_run_header(const RunOptions& options, const RunConfig& config,
                                        Job& job, const Machine& machine, const Peers& peers,
                                        const Resources& resources);

// "stepmark-quick-20260131-142501.smk", in the current folder.
[[nodiscard]] std::string default_journal_name(const std::string& suite);

// Ids of the cases that were measured in a repetition. Error(kUsage), naming what differs, when the
// journal is of another configuration, another world size or another build: resuming would mix two
// runs in one file. Budget, precision and descriptions may change.
[[nodiscard]] std::set<std::string> cases_to_keep(const Run& run, const RunHeader& header,
                                                  int repetition = 1);

}  // namespace stepmark
