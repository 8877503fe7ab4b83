// SPDX-License-Identifier: Apache-2.0
// What ends a run that cannot end by itself: signals, the death of a rank or of the launcher, and
// the watchdog when a rank makes no progress. Rank 0 writes the rest of the journal and speaks; the
// others wait for that and leave. When rank 0 is stopped, one of the others speaks; when it is
// dead, its witness writes and speaks. All of it runs on threads and in processes of its own and
// touches neither MPI nor the device.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "harness/measure/watchdog.h"
#include "harness/run/crash_note.h"
#include "harness/run/peers.h"
#include "harness/run/process_watch.h"
#include "harness/run/run_journal.h"
#include "harness/run/signals.h"
#include "harness/run/witness.h"

namespace stepmark {

class RunGuard {
 public:
  RunGuard();
  ~RunGuard();

  // `activity` must be done within `seconds`.
  void expect(const std::string& activity, double seconds);
  void expect_case(const std::string& id, double seconds);
  // Between two cases; `next` is empty behind the last.
  void passed(const std::string& id, const std::string& next);
  void disarm() { watchdog_->disarm(); }
  // Once the job has started and its ranks know each other. `peers` and later `run_journal` (on
  // rank 0) must outlive the guard or be taken back with release().
  void watch(const Peers* peers);
  void keep(RunJournal* run_journal);  // and after each of its records
  // Until there is a run journal: what earlier repetitions have written.
  void keep(const std::string& journal);
  void release();
  // From now on the process ends in order, with this code and without another word.
  void conclude(ExitCode code);

  // The signal that asked to finish the case under way and stop; 0: none.
  [[nodiscard]] int asked_to_finish() const { return asked_to_finish_; }

  // For an error on the main thread that ends the run. Returns what to say, with the place of the
  // run and what is known of other ranks; when another thread or rank is about to say it, does not
  // return.
  [[nodiscard]] std::string last_words(const std::string& reason);
  // Gives the run journal up, or ends the journal of earlier repetitions. Returns what was kept;
  // empty: there is nothing to end, or it has been ended.
  [[nodiscard]] std::string end_journal(const std::string& reason, ExitCode code);

 private:
  struct Ending {
    bool speaks = false;  // writes the journal and says why; else it waits for who does
    std::string reason;
    ExitCode code = ExitCode::kNotMeasured;
  };

  void on_signal(const ReceivedSignal& signal);
  void on_note(int value);
  void on_stuck(const std::string& activity);
  void on_death(long pid);
  // The first ending that is asked for is the one that happens.
  void ask_to_end(Ending ending);
  void wait_for_an_ending();
  [[noreturn]] void leave(const Ending& ending);
  // What a rank other than 0 says when 0 cannot.
  [[noreturn]] void leave_for_rank_zero(const Ending& ending);
  // A launcher that ends the others because of one rank is not what is to be said.
  void wait_for_a_witness() const;
  [[noreturn]] static void wait_to_be_ended();
  [[nodiscard]] std::string compose(const std::string& reason);
  // What is known of ranks that are gone or stopped.
  [[nodiscard]] std::string trouble();
  [[nodiscard]] pid_t rank_zero();  // 0: on another host, or not known
  [[nodiscard]] bool is_first_that_runs();
  [[nodiscard]] static int rank();  // as far as it is known
  [[nodiscard]] bool launcher_is_gone() const;

  std::mutex mutex_;
  const Peers* peers_ = nullptr;
  RunJournal* run_journal_ = nullptr;
  std::string earlier_journal_;
  std::map<int, std::string> notes_;  // of other ranks
  std::optional<Ending> asked_;
  bool closing_ = false;
  std::condition_variable changed_;
  std::atomic<bool> started_ = false;
  std::atomic<bool> told_to_leave_ = false;
  std::atomic<bool> ending_ = false;         // one thread ends the process
  std::atomic<bool> was_stopped_ = false;    // and another rank has said so
  std::atomic<bool> witness_spoke_ = false;  // of another rank, at the start
  std::atomic<int> asked_to_finish_ = 0;
  std::atomic<int> concluded_ = -1;
  long launcher_ = 0;
  Witness witness_;  // a process: before all threads
  SignalThread signals_;
  std::unique_ptr<Watchdog> watchdog_;
  std::unique_ptr<ProcessWatch> launcher_watch_, peer_watch_;
  std::optional<CrashNote> crash_note_;
  std::thread ender_;
};

}  // namespace stepmark
