// SPDX-License-Identifier: Apache-2.0
// Repetitions of a run inside one invocation. Each is a whole restart: MPI, communicators, devices,
// threads and memory placement are new, so that what differs between runs by chance differs between
// repetitions. The process is replaced by itself (process_image.h) and told in its environment
// where the run stands.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/control.h"
#include "core/error.h"
#include "harness/run/process_image.h"
#include "harness/run/rendezvous.h"
#include "results/record/journal.h"

namespace stepmark {

// What one repetition hands to the next of the same process.
struct RepeatState {
  int repetition = 1;             // that begins
  std::string journal;            // rank 0: its path
  double began_s = 0;             // rank 0: steady clock when the first repetition began to measure
  double given_s = 0;             // rank 0: budgets of the repetitions done since, together
  int done = 0;                   // number of these
  ExitCode code = ExitCode::kOk;  // the worst so far
};
[[nodiscard]] std::string to_text(const RepeatState& state, long process);
// Nothing when the text is of another process, or of nobody.
[[nodiscard]] std::optional<RepeatState> repeat_state_from(const std::string& text, long process);

// 1 (a check failed) over 3 (not measured) over 0.
[[nodiscard]] ExitCode worse(ExitCode a, ExitCode b);

// Repetitions from `first` on in which a case has no result in `run`, out of `asked`.
[[nodiscard]] std::vector<int> unfinished_repetitions(const Run& run, int first, int asked);

class Repeat {
 public:
  // Once per process, first of all.
  Repeat();

  [[nodiscard]] bool continued() const { return state_.has_value(); }
  [[nodiscard]] const RepeatState& state() const { return *state_; }

  // On rank 0, once the journal is known: how many are asked for, and which of them are to be done
  // (null: a new journal).
  void plan(const Run* before, int asked);
  // Collective: rank 0's plan on every rank.
  void share(Control& control);

  [[nodiscard]] int current() const { return todo_.front(); }
  [[nodiscard]] int asked() const { return asked_; }
  [[nodiscard]] std::span<const int> planned() const { return todo_; }  // current, and later ones
  [[nodiscard]] bool is_last() const { return todo_.size() == 1; }
  // Repetitions begin evenly spread over this time instead of one after the other.
  void spread(double over_s) { over_s_ = over_s; }
  // Of the budget for all repetitions, what this one may spend from now on: equal shares of what
  // restarts leave of it, as far as those done tell how long one takes. Once per repetition.
  [[nodiscard]] double budget_s(double whole_s);
  // Seconds until the next repetition may begin; 0: at once.
  [[nodiscard]] double pause_s() const;
  [[nodiscard]] std::string trace_dir(const std::string& folder) const;
  [[nodiscard]] std::string name() const;  // "repetition 2 of 3"; empty when there is one
  [[nodiscard]] ExitCode worst(ExitCode own) const;
  // The run ends with this repetition whatever was planned.
  void stop() { todo_.resize(1); }

  // Collective, while MPI still runs: everything that the next repetition needs. Error when a rank
  // cannot restart.
  void prepare_next(Control& control, const std::string& journal, ExitCode code);
  [[nodiscard]] bool prepared() const { return rendezvous_.has_value(); }
  // After MPI has ended: does not return, unless by an Error that says what was kept.
  [[noreturn]] void start_next();

 private:
  ProcessImage image_;
  std::optional<RepeatState> state_;
  int asked_ = 1;
  std::vector<int> todo_{1};  // this repetition and those after it
  std::optional<double> began_s_;
  double over_s_ = 0;
  double given_s_ = 0;
  int done_ = 0;
  RepeatState next_;
  std::optional<Rendezvous> rendezvous_;
};

// While one exists, a library that ends the process (as MPI_Init does where it cannot start) makes
// it end with ExitCode::kEnvironment and a message that names the repetition and the journal,
// instead of with a code that means a failed check.
class StartWatch {
 public:
  explicit StartWatch(const Repeat& repeat);
  ~StartWatch();
  StartWatch(const StartWatch&) = delete;
  StartWatch& operator=(const StartWatch&) = delete;
};

}  // namespace stepmark
