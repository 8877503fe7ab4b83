// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/run_guard.h"

#include <fmt/format.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "core/log.h"

namespace stepmark {
namespace {

using std::chrono::milliseconds;

// Long enough for rank 0 to write and speak before a launcher sees any rank leave.
constexpr milliseconds kRankZeroFirst{1500};
// A rank that was killed takes a moment to disappear from /proc.
constexpr milliseconds kTraceSettles{150};

}  // namespace

RunGuard::RunGuard() {
  signals_.set_handler([this](int signal) { on_signal(signal); });
  Watchdog::Options options;
  options.exit_code = static_cast<int>(ExitCode::kNotMeasured);
  options.on_expiry = [this](const std::string& activity) { on_stuck(activity); };
  watchdog_ = std::make_unique<Watchdog>(std::move(options));
}

void RunGuard::watch(const Peers* peers, Ledger* ledger) {
  const std::lock_guard lock(mutex_);
  peers_ = peers;
  ledger_ = ledger;
  started_ = started_ || peers != nullptr;
}

void RunGuard::on_signal(int signal) {
  leave(fmt::format("received SIG{}", sigabbrev_np(signal)), ExitCode::kNotMeasured, false);
}

void RunGuard::on_stuck(const std::string& activity) {
  leave(fmt::format("no progress: '{}' did not finish before its deadline", activity),
        started_ ? ExitCode::kNotMeasured : ExitCode::kEnvironment, true);
}

void RunGuard::leave(const std::string& reason, ExitCode code, bool stuck) {
  if (identity().rank > 0) {
    std::this_thread::sleep_for(kRankZeroFirst);
    // A signal reaches all ranks, and one voice is enough; a stuck rank 0 cannot speak.
    if (stuck) log_error("{}; rank 0 should have ended the run by now", reason);
    _exit(static_cast<int>(code));
  }
  std::this_thread::sleep_for(kTraceSettles);
  std::string message = reason;
  std::string kept;
  {
    const std::lock_guard lock(mutex_);
    const std::string trouble = peers_ != nullptr ? peers_->trouble() : std::string();
    if (!trouble.empty()) message += "; " + trouble;
    if (ledger_ != nullptr) {
      const std::string current = ledger_->current();
      if (!current.empty()) message += fmt::format("; during case '{}'", current);
      kept = ledger_->give_up(message, code);
    }
  }
  log_error("{}{}{}", message, kept.empty() ? "" : "; ", kept);
  _exit(static_cast<int>(code));
}

}  // namespace stepmark
