// SPDX-License-Identifier: Apache-2.0
// Reads the journal again and shows that: what is printed is what was kept. That the reader of a
// pipe has left is no failure, that a result could not be written is one.
#include "harness/run/show_results.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_set>

#include "core/log.h"
#include "core/output.h"
#include "harness/cases/case.h"
#include "results/families/read_journal.h"
#include "results/record/journal.h"
#include "results/record/json_text.h"
#include "results/views/json/run_json.h"
#include "results/views/table/run_table.h"

namespace stepmark {
namespace {

// Cases of this repetition whose trace could not be written.
std::ptrdiff_t traceless(const Run& run, const std::vector<Case*>& cases) {
  std::unordered_set<std::string_view> without;
  for (const Record& record : run.records) {
    const auto& labels = record.labels;
    if (std::find(labels.begin(), labels.end(), kTraceNotWritten) != labels.end()) {
      without.insert(record.case_id);
    }
  }
  return std::count_if(cases.begin(), cases.end(),
                       [&](const Case* one) { return without.contains(one->id()); });
}

// The run is over and kept: what becomes of its table costs no measurement.
bool print(const std::string& text, const std::string& journal) {
  try {
    write_stdout(text);
  } catch (const OutputClosed&) {  // `run | head`: the reader has seen what it wanted
  } catch (const Error& error) {
    log_error("{}; the journal is whole: stepmark report {}", error.message(), journal);
    return false;
  }
  return true;
}

}  // namespace

bool show_results(const OpenedJournal& journal, const RunOptions& options, bool once,
                  ExitCode code) {
  const Run run = read_journal(journal.path);
  const std::string text =
      options.json ? json_text(run_json(run), {.indent = 2}) + "\n" : run_table(run);
  const auto without_trace = traceless(run, journal.todo);
  if (without_trace > 0) {
    log_error("traces of {} cases could not be written; their times are in the journal",
              without_trace);
  }
  const bool printed = print(text, journal.path);
  log_info("journal: {}", journal.path);
  if (once && code != ExitCode::kCheckFailed) {
    log_info(
        "one repetition says nothing about how much runs differ: --repeat 3 measures it, and "
        "compare needs it");
  }
  return printed && without_trace == 0;
}

}  // namespace stepmark
