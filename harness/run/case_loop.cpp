// SPDX-License-Identifier: Apache-2.0
// The share of a case is its weight's part of the time left, decided on rank 0 together with
// whether any rank was asked to end. The exit code is the worst of the cases and the same on all
// ranks.
#include "harness/run/case_loop.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <thread>

#include "core/log.h"
#include "core/together.h"
#include "harness/measure/sampler.h"
#include "harness/run/deadlines.h"
#include "harness/run/signals.h"
#include "results/families/derive.h"

namespace stepmark {
namespace {

constexpr double kMinCaseBudget = 0.5;  // seconds

bool failed_check(const Record& record) {
  return record.outcome == Outcome::failed &&
         std::any_of(record.checks.begin(), record.checks.end(),
                     [](const Check& check) { return !check.passed; });
}

}  // namespace

CaseLoop::CaseLoop(const CaseSettings& settings, Repeat& repeat, RunGuard& guard,
                   RunJournal* run_journal)
    : settings_(settings), repeat_(repeat), guard_(guard), run_journal_(run_journal) {}

ExitCode CaseLoop::run(std::span<Case* const> todo) {
  ProgressLine progress(is_root(), todo.size(), repeat_.name());
  double weight_left = 0;
  for (const Case* one : todo) weight_left += one->weight();
  begin_s_ = steady_clock_seconds();
  repeat_.spread(settings_.config.repeat_over_s);
  budget_s_ = repeat_.budget_s(settings_.config.suite.budget_s);
  for (std::size_t i = 0; i < todo.size(); ++i) {
    Case* one = todo[i];
    const double share =
        std::max(kMinCaseBudget, left_s() * one->weight() / std::max(1e-9, weight_left));
    weight_left -= one->weight();
    const CaseStart start = start_case(share);
    if (start.asked_by >= 0) {
      stop_early(start, todo, i);
      break;
    }
    measure(*one, start.budget_s, i + 1 < todo.size() ? todo[i + 1]->id() : "", progress);
  }
  // Another repetition is a new process, which does not know what this one was asked.
  if (!stopped_early_ && !repeat_.is_last()) {
    if (const CaseStart next = pause(); next.asked_by >= 0) stop_early(next, todo, todo.size());
  }
  return static_cast<ExitCode>(
      static_cast<int>(value_of_root(control(), static_cast<double>(code()))));
}

void CaseLoop::measure(Case& one, double budget_s, const std::string& next,
                       ProgressLine& progress) {
  progress.begin(one.id());
  if (run_journal_ != nullptr) run_journal_->begin(one.id());
  const double deadline_s = settings_.options.case_deadline_s > 0
                                ? settings_.options.case_deadline_s
                                : kDeadlineBase + kDeadlineFactor * budget_s;
  guard_.expect_case(one.id(), deadline_s);
  const auto shown = [&](int samples, double half_width) {
    progress.update(samples, half_width, left_s());
  };
  Record record = measure_case(one, settings_, budget_s, repeat_, guard_, op_checks_, shown);
  together(control(), [&] {
    if (!is_root()) return;
    if (record.outcome == Outcome::ok) derive(record);
    run_journal_->finish(record);
    guard_.keep(run_journal_);
  });
  guard_.passed(one.id(), next);
  progress.end(record);
  check_failed_ = check_failed_ || failed_check(record);
  missing_ = missing_ || record.outcome != Outcome::ok;
}

double CaseLoop::left_s() const { return budget_s_ - (steady_clock_seconds() - begin_s_); }

ExitCode CaseLoop::code() const {
  if (check_failed_) return ExitCode::kCheckFailed;
  return missing_ ? ExitCode::kNotMeasured : ExitCode::kOk;
}

CaseLoop::CaseStart CaseLoop::start_case(double share) {
  const int signal = guard_.asked_to_finish();
  std::array<double, 3> shared{is_root() ? share : 0.0, signal != 0 ? control().rank() : -1.0,
                               static_cast<double>(signal)};
  control().max_in_place(shared);
  return {shared[0], static_cast<int>(shared[1]), static_cast<int>(shared[2])};
}

CaseLoop::CaseStart CaseLoop::pause() {
  const double until = steady_clock_seconds() + repeat_.pause_s();
  while (true) {
    const CaseStart next = start_case(until - steady_clock_seconds());
    if (next.asked_by >= 0 || next.budget_s <= 0) return next;
    guard_.expect("the pause before the next repetition", next.budget_s + kDeadlineBase);
    std::this_thread::sleep_for(std::chrono::duration<double>(std::min(1.0, next.budget_s)));
  }
}

void CaseLoop::stop_early(const CaseStart& start, std::span<Case* const> todo, std::size_t done) {
  stopped_early_ = true;
  missing_ = true;
  const std::string last = done > 0 ? fmt::format("after case '{}'", todo[done - 1]->id()) : "";
  const std::string next = done < todo.size() ? fmt::format("before case '{}'", todo[done]->id())
                                              : "before the next repetition";
  const std::string place = last + (last.empty() ? "" : ", ") + next;
  if (run_journal_ == nullptr) return;
  const std::string reason = fmt::format("rank {} received {}; stopped {}", start.asked_by,
                                         signal_name(start.signal), place);
  log_error("{}; {}", reason, run_journal_->give_up(reason, code()));
}

}  // namespace stepmark
