// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/run_guard.h"

#include <fmt/format.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "core/log.h"

namespace stepmark {
namespace {

using std::chrono::milliseconds;

// Long enough for rank 0 to write and speak before a launcher sees any rank leave.
constexpr milliseconds kRankZeroFirst{1500};
// Between ranks that got stuck together, so that the first to leave makes the launcher tell the
// others, and one speaks. All of it stays well inside the watchdog's grace.
constexpr milliseconds kBetweenRanks{250};
constexpr int kMaxTurns = 8;
// A rank that was killed takes a moment to disappear from /proc.
constexpr milliseconds kTraceSettles{150};
constexpr const char* kContinue =
    "what was measured is in the journal; continue with --resume and the same options";

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
  told_to_leave_ = true;
  const std::string reason = fmt::format("received SIG{}", sigabbrev_np(signal));
  if (identity().rank <= 0) leave(reason, ExitCode::kNotMeasured);
  // A signal reaches all ranks, and one voice is enough.
  std::this_thread::sleep_for(kRankZeroFirst);
  _exit(static_cast<int>(ExitCode::kNotMeasured));
}

void RunGuard::on_stuck(const std::string& activity) {
  const std::string reason =
      fmt::format("no progress: '{}' did not finish before its deadline", activity);
  const ExitCode code = started_ ? ExitCode::kNotMeasured : ExitCode::kEnvironment;
  if (identity().rank <= 0) leave(reason, code);
  std::this_thread::sleep_for(kRankZeroFirst +
                              kBetweenRanks * std::min(identity().rank, kMaxTurns));
  // Once any rank has left, the launcher tells the others, and the message is out.
  if (!told_to_leave_) {
    const std::string who = trouble();
    log_error("{}; {}; {}", reason, who.empty() ? "rank 0 should have ended the run" : who,
              kContinue);
  }
  _exit(static_cast<int>(code));
}

std::string RunGuard::trouble() {
  const std::lock_guard lock(mutex_);
  return peers_ != nullptr ? peers_->trouble() : std::string();
}

void RunGuard::leave(const std::string& reason, ExitCode code) {
  std::this_thread::sleep_for(kTraceSettles);
  std::string message = reason;
  if (const std::string who = trouble(); !who.empty()) message += "; " + who;
  std::string kept;
  {
    const std::lock_guard lock(mutex_);
    if (ledger_ != nullptr) {
      const std::string current = ledger_->current();
      if (!current.empty() && reason.find(current) == std::string::npos) {
        message += fmt::format("; during case '{}'", current);
      }
      kept = ledger_->give_up(message, code);
    }
  }
  log_error("{}{}{}", message, kept.empty() ? "" : "; ", kept);
  _exit(static_cast<int>(code));
}

}  // namespace stepmark
