// SPDX-License-Identifier: Apache-2.0
// A fault of the program itself (SIGSEGV, SIGABRT, ...): the witness of the process, or rank 0,
// learns which it was, and the process dies of it as it would have.
#pragma once

#include <sys/types.h>

#include "harness/run/witness.h"

namespace stepmark {

class CrashNote {
 public:
  // After MPI has started: its own handlers, which print where the fault was, come second.
  // `tell`: the process that shall have `value`, with the signal added, as a note; 0: nobody.
  CrashNote(Witness& witness, pid_t tell, int value);
  ~CrashNote();
  CrashNote(const CrashNote&) = delete;  // one per process
  CrashNote& operator=(const CrashNote&) = delete;
};

[[nodiscard]] bool is_fault(int signal);

}  // namespace stepmark
