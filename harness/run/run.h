// SPDX-License-Identifier: Apache-2.0
// A run from its first repetition to its last: what the command `run` is behind its words.
#pragma once

#include "core/error.h"
#include "harness/run/options.h"

namespace stepmark {

// Once per process, from its main thread and before any other: starts the job, measures case by
// case, keeps everything in the journal, prints the tables. Returns the exit code; an error that
// this rank has to show is thrown, QuietStop where another shows it. Does not return when another
// repetition follows.
[[nodiscard]] ExitCode execute_run(const RunOptions& options);

}  // namespace stepmark
