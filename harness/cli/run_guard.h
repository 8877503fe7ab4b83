// SPDX-License-Identifier: Apache-2.0
// What ends a run that cannot end by itself: signals, and the watchdog when a rank makes no
// progress. Rank 0 writes the rest of the journal and speaks; the others wait for that and leave.
// When rank 0 cannot, one of the others speaks.
// Both run on threads of their own and touch neither MPI nor the device.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "harness/cli/ledger.h"
#include "harness/cli/peers.h"
#include "harness/cli/signals.h"
#include "harness/measure/watchdog.h"

namespace stepmark {

class RunGuard {
 public:
  RunGuard();

  void expect(const std::string& activity, double seconds) { watchdog_->expect(activity, seconds); }
  void disarm() { watchdog_->disarm(); }
  // Known once the job has started; `ledger` on rank 0 only. Both must outlive the guard or be
  // taken back with release().
  void watch(const Peers* peers, Ledger* ledger);
  void release() { watch(nullptr, nullptr); }

 private:
  void on_signal(int signal);
  void on_stuck(const std::string& activity);
  [[noreturn]] void leave(const std::string& reason, ExitCode code);
  // What is known of ranks that are gone or stopped.
  [[nodiscard]] std::string trouble();

  std::mutex mutex_;
  const Peers* peers_ = nullptr;
  Ledger* ledger_ = nullptr;
  bool started_ = false;
  std::atomic<bool> told_to_leave_ = false;
  SignalThread signals_;
  std::unique_ptr<Watchdog> watchdog_;
};

}  // namespace stepmark
