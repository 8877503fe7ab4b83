// SPDX-License-Identifier: Apache-2.0
// The state goes to the next image in an environment variable that carries the process id, so that
// a child which inherits it does not take itself for a repetition. Budgets are shared out with what
// restarts have cost so far.
#include "harness/run/repeat.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "core/environment_variable.h"
#include "core/log.h"
#include "core/together.h"
#include "harness/backend/job.h"
#include "harness/measure/sampler.h"
#include "harness/run/run_journal.h"

namespace stepmark {
namespace {

// Not with the prefix of variables that are recorded with a run: it says nothing about it.
constexpr const char* kVariable = "_STEPMARK_REPETITION";
constexpr double kMeetingTime = 60.0;
// For the launcher's server to notice that all connections of the last repetition are closed.
constexpr std::chrono::milliseconds kServerSettles{200};

std::optional<RepeatState> own_state() {
  const auto text = environment_variable(kVariable);
  return text ? repeat_state_from(*text, ::getpid()) : std::nullopt;
}

std::string kept(int repetition, const std::string& journal) {
  return fmt::format(
      "{} of the run are {}; go on with --resume and the same options, or measure repetitions as "
      "runs of their own: compare takes A1.smk,A2.smk,A3.smk as one side",
      repetition == 2 ? "repetition 1" : fmt::format("repetitions 1 to {}", repetition - 1),
      journal.empty() ? "kept" : fmt::format("kept in '{}'", journal));
}

// Of rank 0, which has it; the message is worth more than the rest of the journal.
void end_journal(const std::string& journal, const std::string& reason, ExitCode code) {
  if (journal.empty()) return;
  try {
    static_cast<void>(end_abandoned_journal(journal, reason, code));
  } catch (const std::exception& error) {
    log_warning("'{}' has no end line: {}", journal, error.what());
  }
}

bool start_is_watched = false;  // one per process, and MPI starts on the main thread
std::string start_message;      // what to say when it fails

void on_exit_during_start() {
  if (!start_is_watched) return;
  log_error("{}", start_message);
  _exit(static_cast<int>(ExitCode::kEnvironment));
}

}  // namespace

std::string to_text(const RepeatState& state, long process) {
  // A path may be any bytes, and must come back as it was.
  const std::vector<std::uint8_t> journal(state.journal.begin(), state.journal.end());
  return nlohmann::json({{"process", process},
                         {"repetition", state.repetition},
                         {"journal", journal},
                         {"began_s", state.began_s},
                         {"given_s", state.given_s},
                         {"done", state.done},
                         {"code", static_cast<int>(state.code)}})
      .dump();
}

std::optional<RepeatState> repeat_state_from(const std::string& text, long process) {
  try {
    const auto json = nlohmann::json::parse(text);
    if (json.at("process").get<long>() != process) return std::nullopt;
    RepeatState state;
    state.repetition = json.at("repetition").get<int>();
    const auto journal = json.at("journal").get<std::vector<std::uint8_t>>();
    state.journal.assign(journal.begin(), journal.end());
    state.began_s = json.at("began_s").get<double>();
    state.given_s = json.at("given_s").get<double>();
    state.done = json.at("done").get<int>();
    state.code = static_cast<ExitCode>(json.at("code").get<int>());
    if (state.repetition < 2 || state.repetition > kMaxRepetitions) return std::nullopt;
    return state;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;  // nobody's that this program knows of
  }
}

ExitCode worse(ExitCode a, ExitCode b) {
  const auto rank = [](ExitCode code) {
    return code == ExitCode::kOk ? 0 : code == ExitCode::kNotMeasured ? 1 : 2;
  };
  return rank(b) > rank(a) ? b : a;
}

std::vector<int> unfinished_repetitions(const Run& run, int first, int asked) {
  std::vector<int> out;
  const auto records = run.by_repetition();
  for (int k = first; k <= asked; ++k) {
    const auto has_result = [&](const std::string& id) {
      const auto known = records.find({id, k});
      return known != records.end() &&
             (known->second->outcome == Outcome::ok || known->second->outcome == Outcome::skipped);
    };
    const auto& cases = run.header.cases;
    if (!std::all_of(cases.begin(), cases.end(), has_result)) out.push_back(k);
  }
  return out;
}

Repeat::Repeat() : state_(own_state()) {
  if (state_) {
    began_s_ = state_->began_s;
    given_s_ = state_->given_s;
    done_ = state_->done;
  }
}

void Repeat::plan(const Run* before, int asked) {
  asked_ = asked;
  const int first = state_ ? state_->repetition : 1;
  todo_.clear();
  if (before != nullptr) {
    todo_ = unfinished_repetitions(*before, first, asked);
  } else {
    for (int k = first; k <= asked; ++k) todo_.push_back(k);
  }
  if (todo_.empty()) todo_.push_back(first);  // nothing to measure: the tables are wanted
}

void Repeat::share(Control& control) {
  std::istringstream text(control.broadcast(fmt::format("{} {}", asked_, fmt::join(todo_, " "))));
  text >> asked_;
  todo_.clear();
  for (int k = 0; text >> k;) todo_.push_back(k);
}

double Repeat::budget_s(double whole_s) {
  const double now = steady_clock_seconds();
  if (!began_s_) began_s_ = now;
  if (over_s_ > 0) return whole_s / asked_;
  const double passed = now - *began_s_;
  const double restart = done_ > 0 ? std::max(0.0, passed - given_s_) / done_ : 0.0;
  const auto left = static_cast<double>(todo_.size());
  const double share = std::max(0.0, whole_s - passed - (left - 1) * restart) / left;
  given_s_ += share;
  ++done_;
  return share;
}

double Repeat::pause_s() const {
  if (over_s_ <= 0 || !began_s_ || is_last()) return 0;
  // A repetition that took longer than its share moves the next to the share after that: what else
  // runs in the pauses is not met.
  const double share = over_s_ / asked_;
  const double passed = steady_clock_seconds() - *began_s_;
  return share * std::ceil(passed / share) - passed;
}

std::string Repeat::trace_dir(const std::string& folder) const {
  return folder.empty() || asked_ == 1 ? folder : fmt::format("{}/repetition{}", folder, current());
}

std::string Repeat::name() const {
  return asked_ == 1 ? "" : fmt::format("repetition {} of {}", current(), asked_);
}

ExitCode Repeat::worst(ExitCode own) const { return state_ ? worse(state_->code, own) : own; }

void Repeat::prepare_next(Control& control, const std::string& journal, ExitCode code) {
  together(control, [&] {
    try {
      image_.require_restartable();
    } catch (const Error& error) {
      throw Error(error.code(), fmt::format("repetition {} of {} cannot start: {}", todo_.at(1),
                                            asked_, error.what()));
    }
  });
  next_ = {.repetition = todo_.at(1),
           .journal = journal,
           .began_s = began_s_.value_or(steady_clock_seconds()),
           .given_s = given_s_,
           .done = done_,
           .code = code};
  leave_for_restart();
  rendezvous_.emplace(control);
  if (!rendezvous_->connected() && control.rank() == 0) {
    log_warning(
        "not all ranks can connect to rank 0 by TCP: they wait a few seconds between "
        "repetitions instead");
  }
}

void Repeat::start_next() {
  try {
    rendezvous_->meet(kMeetingTime);
    rendezvous_.reset();
    std::this_thread::sleep_for(kServerSettles);
    Variables variables = restart_variables();
    variables.emplace_back(kVariable, to_text(next_, ::getpid()));
    image_.start_again(variables);
  } catch (const Error& error) {
    const std::string reason = fmt::format("repetition {} of {} did not start: {}",
                                           next_.repetition, asked_, error.message());
    end_journal(next_.journal, reason, error.code());
    throw Error(error.code(), fmt::format("{}; {}", reason, kept(next_.repetition, next_.journal)));
  }
}

StartWatch::StartWatch(const Repeat& repeat) {
  static const bool registered = std::atexit(on_exit_during_start) == 0;
  start_message = "MPI did not start: it ended the process in MPI_Init, and says above why";
  if (repeat.continued()) {
    start_message = fmt::format("repetition {}: {}; {}", repeat.state().repetition, start_message,
                                kept(repeat.state().repetition, repeat.state().journal));
  }
  start_is_watched = registered;
}

StartWatch::~StartWatch() { start_is_watched = false; }

}  // namespace stepmark
