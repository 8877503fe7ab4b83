// SPDX-License-Identifier: Apache-2.0
// Who speaks and who waits, by times that fit into what launchers leave between their signals. All
// reasons meet in one thread, which waits a moment before it acts: the first sign of a death is
// often not its cause.
#include "harness/run/guard.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <string_view>
#include <thread>
#include <utility>

#include "core/environment_variable.h"
#include "core/log.h"
#include "harness/run/launch.h"

namespace stepmark {
namespace {

using std::chrono::milliseconds;

// Long enough for rank 0 to write and speak before a launcher sees any rank leave.
constexpr milliseconds kRankZeroFirst{1500};
// Between ranks that got stuck together, so that the first to leave makes the launcher tell the
// others, and one speaks. All of it stays well inside the watchdog's grace.
constexpr milliseconds kBetweenRanks{250};
constexpr int kMaxTurns = 8;
// For one who speaks on this host: on a busy machine its deadline or its turn comes seconds late,
// and a rank that left before it would make the launcher end it unheard.
constexpr milliseconds kAnotherSpeaks{4000};
constexpr milliseconds kLook{50};
// Notes of other ranks arrive, and a rank that was killed disappears from /proc.
constexpr milliseconds kTraceSettles{150};
// Before ranks know each other nobody but the witness of a rank that is gone can say so; Open MPI
// kills a second after its SIGTERM.
constexpr milliseconds kWitnessFirst{600};
// A rank that ends in order may do so while this one is about to.
constexpr milliseconds kOrderlyEnd{300};
// The launcher reads what was said before it hears that this rank has left.
constexpr milliseconds kVoiceCarries{100};
constexpr const char* kContinue =
    "what was measured is in the journal; continue with --resume and the same options";
constexpr const char* kGoOn = "continue with --resume and the same options";

// A note is the sender's rank and, in the lowest byte, the signal that ends it or this:
constexpr int kYouWereStopped = 0xff;
constexpr int kWitnessSpoke = 0xfe;
constexpr int kNoteBits = 8;

// Before ranks know each other: which of the ranks that the launcher started on this host is no
// longer among its children. Empty when none is, or when it is no launcher whose children are
// ranks.
std::string missing_siblings(long launcher) {
  constexpr std::array<std::string_view, 6> kLaunchers{"mpirun", "mpiexec", "orterun",
                                                       "orted",  "prte",    "hydra_pmi_proxy"};
  const std::string name = process_name(launcher);
  const bool known = std::any_of(kLaunchers.begin(), kLaunchers.end(),
                                 [&](std::string_view start) { return name.starts_with(start); });
  const auto here = environment_number("OMPI_COMM_WORLD_LOCAL_SIZE");
  if (!known || !here) return {};
  const std::vector<long> children = running_children(launcher);
  if (static_cast<int>(children.size()) >= *here) return {};
  if (*here != own_launch().size) return "a rank of this host is gone";
  std::string text;
  for (int rank = 0; rank < *here; ++rank) {
    const std::string variable = fmt::format("OMPI_COMM_WORLD_RANK={}", rank);
    const bool runs = std::any_of(children.begin(), children.end(),
                                  [&](long pid) { return environment_has(pid, variable); });
    if (!runs) text += fmt::format("{}rank {} is gone", text.empty() ? "" : ", ", rank);
  }
  return text;
}

int note(int rank, int what) { return (rank << kNoteBits) | what; }

}  // namespace

RunGuard::RunGuard() : witness_(rank(), note(rank(), kWitnessSpoke)) {
  signals_.set_handler([this](const ReceivedSignal& signal) { on_signal(signal); });
  Watchdog::Options options;
  options.exit_code = static_cast<int>(ExitCode::kNotMeasured);
  options.on_expiry = [this](const std::string& activity) { on_stuck(activity); };
  watchdog_ = std::make_unique<Watchdog>(std::move(options));
  ender_ = std::thread([this] { wait_for_an_ending(); });
  if (own_launch().launcher.empty()) return;
  launcher_ = getppid();
  launcher_watch_ = std::make_unique<ProcessWatch>(std::vector<long>{launcher_},
                                                   [this](long pid) { on_death(pid); });
}

RunGuard::~RunGuard() {
  crash_note_.reset();
  peer_watch_.reset();
  launcher_watch_.reset();
  watchdog_.reset();
  signals_.set_handler([](const ReceivedSignal&) {});
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  ender_.join();
}

void RunGuard::expect(const std::string& activity, double seconds) {
  witness_.at("during: " + activity);
  watchdog_->expect(activity, seconds);
}

void RunGuard::expect_case(const std::string& id, double seconds) {
  witness_.at(fmt::format("during case '{}'", id));
  watchdog_->expect(fmt::format("case '{}'", id), seconds);
}

void RunGuard::passed(const std::string& id, const std::string& next) {
  witness_.at(next.empty() ? fmt::format("after case '{}', the last", id)
                           : fmt::format("after case '{}', before case '{}'", id, next));
}

void RunGuard::watch(const Peers* peers) {
  const int own = identity().rank;
  pid_t zero = 0;
  {
    const std::lock_guard lock(mutex_);
    peers_ = peers;
    started_ = true;
    zero = peers->pid_of(0);
  }
  if (zero != 0) {
    witness_.spoken_for(own);
  }
  crash_note_.emplace(witness_, own > 0 ? zero : 0, note(own, 0));
  peer_watch_ =
      std::make_unique<ProcessWatch>(peers->others(), [this](long pid) { on_death(pid); });
}

void RunGuard::keep(RunJournal* run_journal) {
  const std::lock_guard lock(mutex_);
  run_journal_ = run_journal;
  earlier_journal_.clear();
  witness_.keeps(std::filesystem::absolute(run_journal->path()).string(), run_journal->kept());
}

void RunGuard::keep(const std::string& journal) {
  const std::lock_guard lock(mutex_);
  earlier_journal_ = std::filesystem::absolute(journal).string();
  witness_.keeps(earlier_journal_,
                 fmt::format("earlier repetitions are kept in '{}'; {}", earlier_journal_, kGoOn));
}

std::string RunGuard::end_journal(const std::string& reason, ExitCode code) {
  const std::lock_guard lock(mutex_);
  if (run_journal_ != nullptr) return run_journal_->give_up(reason, code);
  if (earlier_journal_.empty()) return {};
  try {
    return end_abandoned_journal(std::exchange(earlier_journal_, {}), reason, code);
  } catch (const std::exception& error) {
    return fmt::format("its journal could not be ended: {}", error.what());
  }
}

void RunGuard::release() {
  const std::lock_guard lock(mutex_);
  peers_ = nullptr;
  run_journal_ = nullptr;
  earlier_journal_.clear();
}

void RunGuard::conclude(ExitCode code) {
  concluded_ = static_cast<int>(code);
  witness_.silence();
  disarm();
  release();
}

std::string RunGuard::last_words(const std::string& reason) {
  // An error of this rank may be what the death of another looks like from here.
  if (rank() > 0 && rank_zero() != 0) {
    std::this_thread::sleep_for(kTraceSettles);
    if (!trouble().empty()) {
      ask_to_end({});
      wait_to_be_ended();
    }
  }
  if (ending_.exchange(true)) wait_to_be_ended();
  return compose(reason);
}

void RunGuard::on_signal(const ReceivedSignal& signal) {
  if (is_note(signal.number) && signal.value != 0) {
    on_note(signal.value);
    return;
  }
  if (asks_to_finish(signal.number)) {
    asked_to_finish_ = signal.number;
    return;
  }
  told_to_leave_ = true;
  witness_.told_to_end(signal.number);
  if (concluded_ >= 0) _exit(concluded_);
  // A launcher in haste kills before this rank has left.
  if (rank() > 0 || witness_spoke_) witness_.silence();
  const pid_t zero = rank() > 0 ? rank_zero() : 0;
  if (zero != 0) send_note(zero, note(rank(), signal.number));
  ask_to_end({.speaks = rank() == 0, .reason = "received " + signal_name(signal.number)});
}

void RunGuard::on_note(int value) {
  const int what = value & ((1 << kNoteBits) - 1);
  if (what == kWitnessSpoke) {
    witness_spoke_ = true;
    witness_.silence();  // what becomes of this rank follows from that
    return;              // the launcher ends this rank, or its deadline
  }
  if (what == kYouWereStopped) {
    was_stopped_ = true;
  } else {
    const std::lock_guard lock(mutex_);
    notes_[value >> kNoteBits] = is_fault(what) ? fmt::format("crashed ({})", signal_name(what))
                                                : fmt::format("received {}", signal_name(what));
  }
  if (concluded_ >= 0 || is_fault(what)) return;  // its death will be noticed
  ask_to_end({.speaks = true, .reason = ""});
}

void RunGuard::on_stuck(const std::string& activity) {
  ask_to_end({.speaks = true,
              .reason = fmt::format("no progress: {} did not finish before its deadline", activity),
              .code = started_ ? ExitCode::kNotMeasured : ExitCode::kEnvironment});
}

void RunGuard::on_death(long pid) {
  if (concluded_ >= 0) return;
  if (pid == launcher_ && rank() > 0) {
    // Nobody reads what is said now, and nobody ends what stays.
    witness_.silence();
    _exit(static_cast<int>(ExitCode::kNotMeasured));
  }
  if (pid != launcher_) {
    std::this_thread::sleep_for(kOrderlyEnd);
    if (concluded_ >= 0) return;
  }
  ask_to_end({.speaks = rank() == 0, .reason = ""});
}

void RunGuard::ask_to_end(Ending ending) {
  {
    const std::lock_guard lock(mutex_);
    if (!asked_) asked_ = std::move(ending);
  }
  changed_.notify_all();
}

void RunGuard::wait_for_an_ending() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return closing_ || asked_; });
  // Not at once: what the launcher does because a rank died is reported as the death of that rank,
  // and with the signal that wakes up a rank that was stopped comes a note about that.
  if (!closing_) changed_.wait_for(lock, kTraceSettles, [&] { return closing_; });
  if (closing_ || concluded_ >= 0) return;
  const Ending ending = *asked_;
  lock.unlock();
  if (ending.speaks && rank() == 0) {
    if (!ending_.exchange(true)) leave(ending);
    return;  // the main thread speaks
  }
  if (ending.speaks) leave_for_rank_zero(ending);
  witness_.silence();
  std::this_thread::sleep_for(kRankZeroFirst);
  _exit(static_cast<int>(ending.code));
}

void RunGuard::wait_for_a_witness() const {
  const auto until = std::chrono::steady_clock::now() + kWitnessFirst;
  while (!witness_spoke_ && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(kWitnessFirst / 50);
  }
}

void RunGuard::wait_to_be_ended() {
  while (true) std::this_thread::sleep_for(kRankZeroFirst);
}

void RunGuard::leave(const Ending& ending) {
  if (!started_ && told_to_leave_ && launcher_ != 0) wait_for_a_witness();
  const bool said = was_stopped_ || (!started_ && witness_spoke_);
  const std::string message = compose(ending.reason);
  const std::string kept = end_journal(message, ending.code);
  if (!said) log_error("{}{}{}", message, kept.empty() ? "" : "; ", kept);
  witness_.silence();
  std::this_thread::sleep_for(kVoiceCarries);
  _exit(static_cast<int>(ending.code));
}

void RunGuard::leave_for_rank_zero(const Ending& ending) {
  const bool first = is_first_that_runs();
  if (first) {
    std::this_thread::sleep_for(kRankZeroFirst + kBetweenRanks * std::min(rank(), kMaxTurns));
  } else {
    const auto until = std::chrono::steady_clock::now() + kAnotherSpeaks;
    while (!told_to_leave_ && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(kLook);
    }
  }
  witness_.silence();
  // Once any rank has left, the launcher tells the others, and the message is out.
  if (told_to_leave_ || !first) _exit(static_cast<int>(ending.code));
  const std::string who = trouble();
  const pid_t zero = rank_zero();
  const bool stopped = zero != 0 && process_state(zero) == 'T';
  log_error("{}; {}; {}", ending.reason, who.empty() ? "rank 0 should have ended the run" : who,
            kContinue);
  if (stopped) {
    // Told before it is woken up: to write the rest of the journal and say nothing.
    send_note(zero, note(rank(), kYouWereStopped));
    kill(zero, SIGCONT);
  }
  std::this_thread::sleep_for(kVoiceCarries);
  _exit(static_cast<int>(ending.code));
}

std::string RunGuard::trouble() {
  const std::lock_guard lock(mutex_);
  if (peers_ != nullptr) return peers_->trouble(notes_);
  return !started_ && launcher_ != 0 ? missing_siblings(launcher_) : std::string();
}

pid_t RunGuard::rank_zero() {
  const std::lock_guard lock(mutex_);
  return peers_ != nullptr ? peers_->pid_of(0) : 0;
}

bool RunGuard::is_first_that_runs() {
  const std::lock_guard lock(mutex_);
  return peers_ == nullptr || peers_->is_first_that_runs(rank());
}

int RunGuard::rank() { return identity().rank >= 0 ? identity().rank : own_launch().rank; }

bool RunGuard::launcher_is_gone() const { return launcher_ != 0 && !process_runs(launcher_); }

std::string RunGuard::compose(const std::string& reason) {
  std::string message;
  if (launcher_is_gone()) {
    message = fmt::format("the launcher (pid {}) is gone", launcher_);
  } else if (was_stopped_) {
    message = fmt::format("rank {} (pid {}) was stopped (SIGSTOP)", rank(), getpid());
  } else {
    const std::string who = trouble();
    // That the launcher then ends the others is no news.
    const bool told = reason.empty() || reason.starts_with("received ");
    message = who.empty() ? reason : told ? who : fmt::format("{}; {}", reason, who);
    if (message.empty()) message = "another rank has left";
  }
  const std::string where = witness_.where();
  const std::size_t quote = where.find('\'');
  const bool named =
      quote != std::string::npos && message.find(where.substr(quote)) != std::string::npos;
  return named ? message : fmt::format("{}; {}", message, where);
}

}  // namespace stepmark
