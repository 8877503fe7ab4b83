// SPDX-License-Identifier: Apache-2.0
// SIGINT and SIGTERM (Ctrl-C, spot instance reclaimed, another rank died) handled on a thread of
// their own, where everything is allowed that a signal handler may not do.
#pragma once

#include <functional>
#include <memory>

namespace stepmark {

class SignalThread {
 public:
  // A write beyond a file size limit becomes an error (EFBIG) and not a signal.
  // Blocks the signals in the calling thread and all threads it starts later: construct it first.
  SignalThread();
  ~SignalThread();
  SignalThread(const SignalThread&) = delete;  // one per process
  SignalThread& operator=(const SignalThread&) = delete;

  // What to do with a signal; runs on the signal thread. Until set, a signal ends the process with
  // the default action.
  void set_handler(std::function<void(int signal)> handler);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace stepmark
