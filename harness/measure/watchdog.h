// SPDX-License-Identifier: Apache-2.0
// Ends a rank which does not make progress. Started before MPI and backend initialisation; touches
// neither. Two stages, each on a thread of its own, so that no lock and no slow disk can stop the
// second: at the deadline `on_expiry` is called once; if the process is still there `grace_s`
// later, _exit(code). An expired watchdog cannot be disarmed, only destroyed.
#pragma once

#include <functional>
#include <memory>
#include <string>

namespace stepmark {

class Watchdog {
 public:
  struct Options {
    double grace_s = 5.0;
    int exit_code = 3;
    // E.g. write not-measured lines to the journal and say so. Must not touch MPI or the GPU, nor
    // call this watchdog. Without it, the watchdog logs what was going on.
    std::function<void(const std::string& activity)> on_expiry;
  };
  explicit Watchdog(Options options);
  // Waits for a running `on_expiry`, with the hard exit still armed.
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // Arms (or re-arms) the deadline: `activity` must be done within `seconds`. Any thread.
  void expect(std::string activity, double seconds);
  void disarm();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace stepmark
