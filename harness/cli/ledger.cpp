// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/ledger.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/log.h"

namespace stepmark {

Ledger::Ledger(JournalWriter journal, std::vector<Item> todo)
    : journal_(std::move(journal)), todo_(std::move(todo)) {}

void Ledger::begin(const std::string& case_id) {
  const std::lock_guard lock(mutex_);
  current_ = case_id;
}

void Ledger::finish(const Record& record) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  journal_.write(record);
  ++done_;
  current_.clear();
}

void Ledger::close(ExitCode code) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  closed_ = true;
  journal_.write_end(static_cast<int>(code), "");
}

std::string Ledger::give_up(const std::string& reason, ExitCode code) noexcept {
  try {
    const std::lock_guard lock(mutex_);
    if (closed_) return {};
    closed_ = true;
    const std::size_t missing = todo_.size() - done_;
    std::string kept = fmt::format(
        "{} of {} cases are kept in '{}'; continue with: stepmark run --resume --out "
        "{} and the same options",
        done_, todo_.size(), journal_.path(), journal_.path());
    try {
      for (std::size_t i = done_; i < todo_.size(); ++i) {
        Record record;
        record.case_id = todo_[i].id;
        record.family = todo_[i].family;
        record.repetition = todo_[i].repetition;
        record.outcome = Outcome::not_measured;
        record.reason = todo_[i].id == current_ ? reason : fmt::format("not reached: {}", reason);
        journal_.write(record);
      }
      journal_.write_end(static_cast<int>(code), reason);
    } catch (const std::exception& error) {
      const bool known = reason.find(error.what()) != std::string::npos;
      return fmt::format("{} ({} cases without a line{}{})", kept, missing, known ? "" : ": ",
                         known ? "" : error.what());
    }
    return kept;
  } catch (const std::exception& error) {
    log_check_failure("give_up", error.what());
    return {};
  }
}

std::string Ledger::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

}  // namespace stepmark
