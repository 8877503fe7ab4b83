// SPDX-License-Identifier: Apache-2.0
// Rank 0 opens, reads and plans alone, and the others learn the result. What goes on must be the
// same run: suite, ranks, backend, revision, configuration and cases are compared one by one, and a
// difference is named.
#include "harness/run/opened_journal.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <optional>
#include <sstream>
#include <unordered_set>
#include <utility>

#include "core/error.h"
#include "core/log.h"
#include "core/together.h"
#include "results/families/read_journal.h"
#include "results/record/flat_config.h"
#include "results/record/journal_limits.h"

namespace stepmark {
namespace {

RunJournal::Item item(const Case& one, int repetition) {
  return {.id = one.id(), .family = std::string(one.family()), .repetition = repetition};
}

// Without what has a line already: being interrupted again and again adds none.
std::vector<RunJournal::Item> items_of_later_repetitions(const RunConfig& config,
                                                         const Repeat& repeat,
                                                         const std::optional<Run>& before) {
  const auto known = before ? before->by_repetition() : Run::ByRepetition{};
  std::vector<RunJournal::Item> items;
  for (const int repetition : repeat.planned().subspan(1)) {
    for (const auto& one : config.cases) {
      if (!known.contains({one->id(), repetition})) items.push_back(item(*one, repetition));
    }
  }
  return items;
}

// What rank 0 does, and alone does.
class Opening {
 public:
  Opening(const RunOptions& options, const RunConfig& config, RunHeader header, Repeat& repeat)
      : options_(options), config_(config), header_(std::move(header)), repeat_(repeat) {}

  void open(OpenedJournal& opened) {
    opened.path = path();
    read_earlier(opened.path);
    header_.repetitions = repeat_.asked();
    require_room();
    if (repeat_.continued()) header_.repetition = repeat_.current();
    std::vector<RunJournal::Item> items;
    for (const auto& one : config_.cases) {
      if (!done_.contains(one->id())) items.push_back(item(*one, repeat_.current()));
    }
    for (const RunJournal::Item& one : items) todo_ += one.id + "\n";
    std::vector<RunJournal::Item> later = items_of_later_repetitions(config_, repeat_, before_);
    JournalWriter journal = before_ ? JournalWriter::append(opened.path, header_)
                                    : JournalWriter::create(opened.path, header_);
    opened.run_journal =
        std::make_unique<RunJournal>(std::move(journal), std::move(items), std::move(later));
    if (!options_.cases.trace_dir.empty()) {
      std::filesystem::create_directories(repeat_.trace_dir(options_.cases.trace_dir));
    }
  }

  // Ids, one a line.
  [[nodiscard]] const std::string& todo() const { return todo_; }

 private:
  [[nodiscard]] std::string path() const {
    if (repeat_.continued()) return repeat_.state().journal;
    return options_.out.empty() ? default_journal_name(config_.suite.name) : options_.out;
  }

  // The journal that this run goes on with, if any, and what of it stays.
  void read_earlier(const std::string& path) {
    const bool exists =
        std::filesystem::is_regular_file(path) && std::filesystem::file_size(path) > 0;
    if ((options_.resume || repeat_.continued()) && exists) {
      before_ = read_journal(path);
      repeat_.plan(&*before_,
                   options_.repeat > 0 ? config_.suite.repeat : before_->header.repetitions);
      done_ = cases_to_keep(*before_, header_, repeat_.current());
      if (repeat_.continued()) header_.run_id = before_->header.run_id;
      return;
    }
    if (options_.resume && !std::filesystem::is_directory(path)) {
      log_warning("--resume: there is no journal '{}' yet; starting a new one", path);
    }
    repeat_.plan(nullptr, config_.suite.repeat);
  }

  void require_room() const {
    STEPMARK_REQUIRE(config_.cases.size() * static_cast<std::size_t>(repeat_.asked()) <= kMaxCases,
                     "{} cases, {} times: at most {} results fit into a journal; split the suite",
                     config_.cases.size(), repeat_.asked(), kMaxCases);
  }

  const RunOptions& options_;
  const RunConfig& config_;
  RunHeader header_;
  Repeat& repeat_;
  std::optional<Run> before_;
  std::set<std::string> done_;
  std::string todo_;
};

std::vector<Case*> cases_of(const RunConfig& config, const std::string& list) {
  std::unordered_set<std::string> ids;
  std::istringstream lines(list);
  for (std::string id; std::getline(lines, id);) ids.insert(id);
  std::vector<Case*> cases;
  for (const auto& one : config.cases) {
    if (ids.contains(one->id())) cases.push_back(one.get());
  }
  return cases;
}

}  // namespace

OpenedJournal open_journal(Control& control, const RunOptions& options, const RunConfig& config,
                           RunHeader header, Repeat& repeat) {
  OpenedJournal opened;
  Opening opening(options, config, std::move(header), repeat);
  together(control, [&] {
    if (control.rank() == 0) opening.open(opened);
  });
  repeat.share(control);
  opened.todo = cases_of(config, control.broadcast(opening.todo()));
  return opened;
}

std::set<std::string> cases_to_keep(const Run& run, const RunHeader& header, int repetition) {
  const auto same = [&](const char* what, const std::string& old_value,
                        const std::string& new_value) {
    STEPMARK_REQUIRE(old_value == new_value,
                     "--resume: '{}' was measured with {} '{}', now it is '{}'; give another --out "
                     "to start a new run",
                     run.path, what, old_value, new_value);
  };
  same("suite", run.header.suite, header.suite);
  same("ranks", std::to_string(run.header.ranks), std::to_string(header.ranks));
  same("backend", run.header.backend, header.backend);
  same("revision", run.header.git_revision, header.git_revision);
  const auto difference =
      first_difference(config_identity(run.header.config), config_identity(header.config));
  STEPMARK_REQUIRE(!difference,
                   "--resume: '{}' was measured with {} = {}, now it is {}; give another --out to "
                   "start a new run",
                   run.path, difference->key, shown_value(difference->a),
                   shown_value(difference->b));
  const auto [old_case, new_case] = std::mismatch(run.header.cases.begin(), run.header.cases.end(),
                                                  header.cases.begin(), header.cases.end());
  STEPMARK_REQUIRE(old_case == run.header.cases.end() && new_case == header.cases.end(),
                   "--resume: '{}' has other cases: there is {} where now it is {}; give another "
                   "--out to start a new run",
                   run.path, old_case == run.header.cases.end() ? "nothing" : *old_case,
                   new_case == header.cases.end() ? "nothing" : *new_case);
  std::set<std::string> keep;
  for (const auto& [key, record] : run.by_repetition()) {
    if (key.second == repetition && record->outcome == Outcome::ok) keep.insert(record->case_id);
  }
  return keep;
}

std::string default_journal_name(const std::string& suite) {
  std::string name = suite;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == ':' || c == '/'; }, '-');
  return fmt::format("stepmark-{}-{:%Y%m%d-%H%M%S}.smk", name, fmt::gmtime(std::time(nullptr)));
}

}  // namespace stepmark
