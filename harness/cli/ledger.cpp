// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <thread>

#include "core/log.h"

namespace stepmark {

namespace {

std::string kept_sentence(std::size_t done, std::size_t all, const std::string& path) {
  return fmt::format(
      "{} of {} cases are kept in '{}'; continue with: stepmark run --resume --out {} and the same "
      "options",
      done, all, path, path);
}

Record not_measured(const Ledger::Item& item, const std::string& reason) {
  Record record;
  record.case_id = item.id;
  record.family = item.family;
  record.repetition = item.repetition;
  record.outcome = Outcome::not_measured;
  record.reason = reason;
  return record;
}

// The lock of a process that is gone is free when all its files are closed, a moment later.
JournalWriter take_over_patiently(const std::string& path) {
  constexpr int kTries = 50;
  constexpr std::chrono::milliseconds kBetween{20};
  for (int i = 1; i < kTries; ++i) {
    try {
      return JournalWriter::take_over(path);
    } catch (const Error&) {
      std::this_thread::sleep_for(kBetween);
    }
  }
  return JournalWriter::take_over(path);
}

}  // namespace

std::string end_abandoned_journal(const std::string& path, const std::string& reason,
                                  ExitCode code) {
  JournalWriter journal = take_over_patiently(path);
  const Run run = read_journal(path);
  std::size_t measured = 0;
  std::vector<std::string> rest;
  for (const std::string& id : run.header.cases) {
    const Record* record = run.find(id);
    const bool missing = record == nullptr || record->outcome == Outcome::not_measured;
    if (missing) rest.push_back(id);
    if (!missing && record->outcome == Outcome::ok) ++measured;
  }
  if (!run.ended) {
    for (std::size_t i = 0; i < rest.size(); ++i) {
      const bool under_way =
          reason.find(fmt::format("during case '{}'", rest[i])) != std::string::npos;
      journal.write(not_measured({.id = rest[i], .family = rest[i].substr(0, rest[i].find('/'))},
                                 under_way ? reason : fmt::format("not reached: {}", reason)));
    }
    journal.write_end(static_cast<int>(code), reason);
  }
  return kept_sentence(measured, run.header.cases.size(), path);
}

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
  rescue();
}

// Noticed with every case: what is written into a file without a name is lost with the process.
void Ledger::rescue() {
  const std::string what = journal_.displaced();
  if (what.empty()) return;
  std::error_code ignored;
  const std::string temporary = std::filesystem::temp_directory_path(ignored).string();
  journal_.save({std::filesystem::absolute(journal_.path()).parent_path().string(),
                 std::filesystem::current_path(ignored).string(), temporary, "/tmp"});
  throw Error(ExitCode::kEnvironment,
              fmt::format("{}; everything measured is in '{}'", what, journal_.path()));
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
    std::string kept = kept_sentence(done_, todo_.size(), journal_.path());
    try {
      for (std::size_t i = done_; i < todo_.size(); ++i) {
        journal_.write(not_measured(
            todo_[i], todo_[i].id == current_ ? reason : fmt::format("not reached: {}", reason)));
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

std::string Ledger::kept() const {
  const std::lock_guard lock(mutex_);
  return kept_sentence(done_, todo_.size(), journal_.path());
}

std::string Ledger::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

}  // namespace stepmark
