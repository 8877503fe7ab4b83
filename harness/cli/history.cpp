// SPDX-License-Identifier: Apache-2.0
// The commands of `history`. A journal that cannot be added does not keep the others from it: a
// nightly job adds many, and one may be cut.
#include "results/history/history.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "core/log.h"
#include "core/output.h"
#include "core/units.h"
#include "harness/cli/commands.h"
#include "results/families/read_journal.h"
#include "results/history/check.h"
#include "results/history/compact.h"
#include "results/history/notes.h"
#include "results/record/json_text.h"
#include "results/views/csv/history_csv.h"
#include "results/views/json/history_json.h"
#include "results/views/openmetrics/openmetrics.h"
#include "results/views/table/check_table.h"
#include "results/views/table/history_table.h"

namespace stepmark {
namespace {

void say(const AddResult& result, const std::string& file) {
  const HistoryRun& run = result.run;
  if (result.place_guessed) {
    log_warning(
        "{}: ran on {} and names no cluster: say --place NAME, or the runs of other clusters of "
        "that size will stand beside it",
        file, run.line.place);
  }
  if (result.what == Added::known) {
    log_info("{}: run {} is in the history already: nothing added", file, run.run_id);
    return;
  }
  log_info("{}: run {} {}: {} cases, {} with a time that counts; {} on {}", file, run.run_id,
           result.what == Added::grown ? "has grown" : "added", result.points, run.measured,
           run.line.suite, run.line.place);
}

}  // namespace

ExitCode history_add_command(const HistoryOptions& options) {
  STEPMARK_REQUIRE(options.time.empty() || options.files.size() == 1,
                   "--time is of one run: add journals one by one");
  History history(options.db, History::Open::create);
  ExitCode worst = ExitCode::kOk;
  for (const std::string& file : options.files) {
    try {
      say(history.add(read_journal(file), {.place = options.place, .time = options.time}), file);
    } catch (const Error& error) {
      if (error.code() != ExitCode::kUsage || options.files.size() == 1) throw;
      log_error("{}", error.what());
      worst = ExitCode::kUsage;
    }
  }
  scan_new_points(history);
  return worst;
}

ExitCode history_list_command(const HistoryOptions& options) {
  const History history(options.db, History::Open::existing);
  const std::vector<HistoryRun> runs = history.runs(options.last);
  write_stdout(options.json ? json_text(runs_json(runs), {.indent = 2}) + "\n" : runs_table(runs));
  return ExitCode::kOk;
}

ExitCode history_check_command(const HistoryOptions& options) {
  const History history(options.db, History::Open::existing);
  const CheckResult result =
      check_history(history, {.least_effect = parse_fraction(options.least_effect)});
  write_stdout(options.json ? json_text(to_json(result), {.indent = 2}) + "\n"
                            : check_table(result, options.all));
  return result.exit_code();
}

ExitCode history_annotate_command(const HistoryOptions& options) {
  const History history(options.db, History::Open::existing);
  const Annotation made = annotate(history, options.when, options.text);
  log_info("{}: noted at {}: {}", options.db, made.when, made.text);
  return ExitCode::kOk;
}

ExitCode history_acknowledge_command(const HistoryOptions& options) {
  STEPMARK_REQUIRE(options.every || !options.alarms.empty(),
                   "name the alarms by their numbers, or --all: stepmark history acknowledge 3");
  const History history(options.db, History::Open::existing);
  if (options.undo) {
    take_back(history, options.alarms);
    log_info("{}: {} of them alarm again", options.db, options.alarms.size());
    return ExitCode::kOk;
  }
  std::vector<std::int64_t> numbers = options.alarms;
  if (options.every) {
    for (const HistoryEvent& event : check_history(history).events) {
      if (event.is_alarm()) numbers.push_back(event.number);
    }
  }
  const std::vector<std::int64_t> done = acknowledge(history, numbers, options.text);
  log_info("{}: {} acknowledged, {} were already", options.db, done.size(),
           numbers.size() - done.size());
  return ExitCode::kOk;
}

ExitCode history_export_command(const HistoryOptions& options) {
  const History history(options.db, History::Open::existing);
  const bool newest_only = !options.all;
  std::string text;
  if (options.format == "csv") {
    text = history_csv(history, newest_only);
  } else if (options.format == "json") {
    text = json_text(history_json(history, check_history(history), newest_only)) + "\n";
  } else {
    text = openmetrics_text(history, check_history(history), options.all);
  }
  if (options.out.empty()) {
    write_stdout(text);
  } else {
    write_output_file(options.out, text);
  }
  return ExitCode::kOk;
}

ExitCode history_compact_command(const HistoryOptions& options) {
  using namespace std::chrono;
  const History history(options.db, History::Open::existing);
  const double age = parse_seconds(options.older_than);
  const auto now = duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
  const Compacted done = compact_history(history, now - static_cast<std::int64_t>(age));
  log_info("{}: {} facts of old runs given up, {} instead of {}; all medians are there", options.db,
           done.facts, format_bytes(static_cast<double>(done.bytes_after)),
           format_bytes(static_cast<double>(done.bytes_before)));
  return ExitCode::kOk;
}

}  // namespace stepmark
