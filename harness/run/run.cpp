// SPDX-License-Identifier: Apache-2.0
// The order of lifetimes is the point: stderr is folded before any thread starts, MPI has ended
// before the restart, and a restart never returns.
#include "harness/run/run.h"

#include "harness/run/library_stderr.h"
#include "harness/run/repeat.h"
#include "harness/run/session.h"

namespace stepmark {

ExitCode execute_run(const RunOptions& options) {
  Repeat repeat;
  ExitCode code = ExitCode::kOk;
  {
    const LibraryStderr folded;  // before the session's threads, and put back before a restart
    code = RunSession(options, repeat).execute();  // MPI has ended behind it
  }
  if (repeat.prepared()) repeat.start_next();
  return code;
}

}  // namespace stepmark
