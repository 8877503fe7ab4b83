// SPDX-License-Identifier: Apache-2.0
// What a run shows at its end, on rank 0.
#pragma once

#include "core/error.h"
#include "harness/run/opened_journal.h"
#include "harness/run/options.h"

namespace stepmark {

// Prints the tables (or JSON) of the closed journal, and says where it is. False when something
// that was asked for could not be written: a table, or a trace. Nothing measured is lost then.
[[nodiscard]] bool show_results(const OpenedJournal& journal, const RunOptions& options, bool once,
                                ExitCode code);

}  // namespace stepmark
