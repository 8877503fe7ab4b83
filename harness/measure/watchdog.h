// SPDX-License-Identifier: Apache-2.0
// A thread per rank that ends a rank which does not make progress. Started before MPI and backend
// initialisation. Two stages: at the deadline it reports (rank, host, what was going on) and calls
// `on_expiry` once, on its own thread; if the process is still there `grace_s` later, _exit(code).
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
    // E.g. write not-measured lines to the journal. Must not touch MPI or the GPU.
    std::function<void(const std::string& activity)> on_expiry;
  };
  explicit Watchdog(Options options);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // Arms (or re-arms) the deadline: `activity` must be done within `seconds`.
  void expect(std::string activity, double seconds);
  void disarm();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace stepmark
