// SPDX-License-Identifier: Apache-2.0
// Every catchable signal that would end the process (Ctrl-C, spot instance reclaimed, Slurm's
// warning, a limit of CPU time) handled on a thread of its own, where everything is allowed that a
// signal handler may not do. Signals of a fault of the program itself are not among them
// (crash_note.h).
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>

namespace stepmark {

struct ReceivedSignal {
  int number = 0;
  int value = 0;     // of a note
  pid_t sender = 0;  // 0: the kernel, or unknown
};

// Asks to finish the case under way and stop: what batch systems send some time before the end.
[[nodiscard]] bool asks_to_finish(int signal);  // SIGUSR1, SIGUSR2
// A note from another rank of this host.
[[nodiscard]] bool is_note(int signal);
// "SIGTERM", "SIGRTMIN+3"
[[nodiscard]] std::string signal_name(int signal);
[[nodiscard]] int note_signal();
// Leaves `value` with another process of the same program. Async-signal-safe.
void send_note(pid_t process, int value) noexcept;

class SignalThread {
 public:
  // Takes the signals whose default action would end the process; those that the environment
  // ignores (nohup) or that a tool has taken (a profiler) stay as they are. A write beyond a file
  // size limit or into a pipe without reader becomes an error (EFBIG, EPIPE) and not a signal.
  // Blocks the signals in the calling thread and all threads it starts later: construct it first.
  SignalThread();
  // Later signals are ignored.
  ~SignalThread();
  SignalThread(const SignalThread&) = delete;  // one per process
  SignalThread& operator=(const SignalThread&) = delete;

  // What to do with a signal; runs on the signal thread. Until set, a signal ends the process with
  // the default action.
  void set_handler(std::function<void(const ReceivedSignal&)> handler);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace stepmark
