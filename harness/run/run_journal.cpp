// SPDX-License-Identifier: Apache-2.0
// What has no line yet gets one that says why it was not measured, also in a journal whose writer
// is dead: that takes over its lock. A file that was replaced or removed while open is saved
// elsewhere, with the first case that notices.
#include "harness/run/run_journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>
#include <source_location>
#include <system_error>
#include <thread>
#include <utility>

#include "core/log.h"
#include "results/families/read_journal.h"

namespace stepmark {

namespace {

// `repetition`: 0 where there is one only.
std::string kept_sentence(std::size_t done, std::size_t all, int repetition,
                          const std::string& path) {
  return fmt::format(
      "{} of {} cases{} are kept in '{}'; continue with: stepmark run --resume --out {} and the "
      "same options",
      done, all, repetition > 0 ? fmt::format(" of repetition {}", repetition) : "", path, path);
}

Record not_measured(const RunJournal::Item& item, const std::string& reason) {
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

// What a journal that nobody writes any more lacks.
class Gaps {
 public:
  explicit Gaps(const Run& run) : run_(run), records_(run.by_repetition()) {
    const int last = run.header.repetitions;
    current_ = std::max(1, run.last_start.repetition);
    while (current_ < last && none_of_cases([&](const auto& id) { return rest(id, current_); })) {
      ++current_;
    }
  }

  // The repetition under way.
  [[nodiscard]] int current() const { return current_; }

  [[nodiscard]] std::size_t measured() const {
    const auto& cases = run_.header.cases;
    return static_cast<std::size_t>(std::count_if(cases.begin(), cases.end(), [&](const auto& id) {
      return outcome(id, current_) == Outcome::ok;
    }));
  }

  // In the order in which they would have been measured.
  [[nodiscard]] std::vector<RunJournal::Item> items() const {
    std::vector<RunJournal::Item> items;
    for (int k = current_; k <= run_.header.repetitions; ++k) {
      for (const std::string& id : run_.header.cases) {
        if (k == current_ ? !rest(id, k) : outcome(id, k).has_value()) continue;
        items.push_back({.id = id, .family = id.substr(0, id.find('/')), .repetition = k});
      }
    }
    return items;
  }

 private:
  [[nodiscard]] std::optional<Outcome> outcome(const std::string& id, int repetition) const {
    const auto known = records_.find({id, repetition});
    return known == records_.end() ? std::nullopt : std::optional(known->second->outcome);
  }

  // Without a line, or with one of an earlier invocation that says it was not measured.
  [[nodiscard]] bool rest(const std::string& id, int repetition) const {
    return !run_.last_start.written.contains({id, repetition}) &&
           outcome(id, repetition).value_or(Outcome::not_measured) == Outcome::not_measured;
  }

  template <class Predicate>
  [[nodiscard]] bool none_of_cases(Predicate predicate) const {
    return std::none_of(run_.header.cases.begin(), run_.header.cases.end(), predicate);
  }

  const Run& run_;
  Run::ByRepetition records_;
  int current_ = 1;
};

}  // namespace

std::string end_abandoned_journal(const std::string& path, const std::string& reason,
                                  ExitCode code) {
  JournalWriter journal = take_over_patiently(path);
  const Run run = read_journal(path);
  const Gaps gaps(run);
  if (!run.ended) {
    std::vector<Record> lines;
    for (const RunJournal::Item& item : gaps.items()) {
      const bool under_way =
          item.repetition == gaps.current() &&
          reason.find(fmt::format("during case '{}'", item.id)) != std::string::npos;
      lines.push_back(
          not_measured(item, under_way ? reason : fmt::format("not reached: {}", reason)));
    }
    journal.write(lines);
    journal.write_end(static_cast<int>(code), reason);
  }
  return kept_sentence(gaps.measured(), run.header.cases.size(),
                       run.header.repetitions > 1 ? gaps.current() : 0, path);
}

RunJournal::RunJournal(JournalWriter journal, std::vector<Item> todo, std::vector<Item> later)
    : journal_(std::move(journal)), todo_(std::move(todo)), later_(std::move(later)) {}

void RunJournal::begin(const std::string& case_id) {
  const std::lock_guard lock(mutex_);
  current_ = case_id;
}

void RunJournal::finish(const Record& record) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  journal_.write(record);
  ++done_;
  current_.clear();
  rescue();
}

// Noticed with every case: what is written into a file without a name is lost with the process.
void RunJournal::rescue() {
  const std::string what = journal_.displaced();
  if (what.empty()) return;
  std::error_code ignored;
  const std::string temporary = std::filesystem::temp_directory_path(ignored).string();
  journal_.save({std::filesystem::absolute(journal_.path()).parent_path().string(),
                 std::filesystem::current_path(ignored).string(), temporary, "/tmp"});
  throw Error(ExitCode::kEnvironment,
              fmt::format("{}; everything measured is in '{}'", what, journal_.path()));
}

void RunJournal::close(ExitCode code) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  closed_ = true;
  journal_.write_end(static_cast<int>(code), "");
}

std::string RunJournal::give_up(const std::string& reason, ExitCode code) noexcept {
  try {
    const std::lock_guard lock(mutex_);
    if (closed_) return {};
    closed_ = true;
    const std::size_t missing = todo_.size() - done_ + later_.size();
    std::string kept = kept_so_far();
    try {
      std::vector<Record> lines;
      for (std::size_t i = done_; i < todo_.size(); ++i) {
        lines.push_back(not_measured(
            todo_[i], todo_[i].id == current_ ? reason : fmt::format("not reached: {}", reason)));
      }
      for (const Item& item : later_) {
        lines.push_back(not_measured(item, fmt::format("not reached: {}", reason)));
      }
      journal_.write(lines);
      journal_.write_end(static_cast<int>(code), reason);
    } catch (const std::exception& error) {
      const bool known = reason.find(error.what()) != std::string::npos;
      return fmt::format("{} ({} cases without a line{}{})", kept, missing, known ? "" : ": ",
                         known ? "" : error.what());
    }
    return kept;
  } catch (const std::exception& error) {
    log_check_failure("give_up", error.what(), std::source_location::current());
    return {};
  }
}

std::string RunJournal::kept() const {
  const std::lock_guard lock(mutex_);
  return kept_so_far();
}

std::string RunJournal::kept_so_far() const {
  const int repetition = todo_.empty() ? 1 : todo_.front().repetition;
  return kept_sentence(done_, todo_.size(), later_.empty() && repetition == 1 ? 0 : repetition,
                       journal_.path());
}

std::string RunJournal::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

}  // namespace stepmark
