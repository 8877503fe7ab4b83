// SPDX-License-Identifier: Apache-2.0
// What libraries write to standard error while a run goes on passes through a process of its own
// that shows each message once (MessageFolder). A process, not a thread: what a library says before
// it takes this one down, and what it had written when this one was killed, still comes out. Our
// own log lines go past it (core/log_descriptor.h).
#pragma once

#include <sys/types.h>

namespace stepmark {

class LibraryStderr {
 public:
  // Before threads start. Does nothing where no process can be made, or with
  // STEPMARK_FOLD_STDERR=0.
  LibraryStderr();
  // Puts standard error back, and lets the other process say its last words.
  ~LibraryStderr();
  LibraryStderr(const LibraryStderr&) = delete;
  LibraryStderr& operator=(const LibraryStderr&) = delete;

 private:
  int original_ = -1;
  pid_t helper_ = -1;
};

}  // namespace stepmark
