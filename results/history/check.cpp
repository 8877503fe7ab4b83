// SPDX-License-Identifier: Apache-2.0
// One transaction: scans that are kept and alarms that get numbers are of one state of the file.
#include "results/history/check.h"

#include <algorithm>

#include "results/history/events.h"
#include "results/history/scan_series.h"

namespace stepmark {
namespace {

// Runs in which a case must have had a time for its absence to be news.
constexpr int kLately = 30;

std::int64_t count(const Database& database, std::string_view sql) {
  Statement rows = database.prepare(sql);
  return rows.step() ? rows.integer(0) : 0;
}

void find_lost(const Database& database, const HistoryLine& line, std::vector<LostCase>& out) {
  Statement newest = database.prepare(
      "SELECT id, run_id, at FROM run WHERE line = ?1 ORDER BY at DESC, id DESC LIMIT 1");
  newest.bind(1, line.id);
  if (!newest.step()) return;
  Statement lost = database.prepare(
      "WITH lately AS (SELECT id, run_id, at FROM run WHERE line = ?1 AND id <> ?2 "
      "                ORDER BY at DESC, id DESC LIMIT ?3), "
      "     now AS (SELECT case_id, counts, remark FROM point JOIN series ON "
      "             series.id = point.series WHERE run = ?2) "
      "SELECT case_id, (SELECT run_id FROM point JOIN lately ON lately.id = point.run WHERE "
      "                 point.series = series.id AND point.at = lately.at AND counts "
      "                 ORDER BY point.at DESC, point.run DESC LIMIT 1) AS last, "
      "       (SELECT remark FROM now WHERE now.case_id = series.case_id LIMIT 1) "
      "FROM series WHERE line = ?1 AND last IS NOT NULL AND NOT EXISTS("
      "SELECT 1 FROM now WHERE now.case_id = series.case_id AND now.counts) ORDER BY case_id");
  lost.bind(1, line.id).bind(2, newest.integer(0)).bind(3, kLately);
  while (lost.step()) {
    out.push_back({.line = line,
                   .case_id = lost.text(0),
                   .last_run = lost.text(1),
                   .newest_run = newest.text(1),
                   .reason = lost.is_null(2) ? "no record" : lost.text(2)});
  }
}

}  // namespace

int CheckResult::alarms() const {
  return static_cast<int>(std::count_if(
      events.begin(), events.end(), [](const HistoryEvent& event) { return event.is_alarm(); }));
}

ExitCode CheckResult::exit_code() const {
  if (alarms() > 0) return ExitCode::kCheckFailed;
  return lost.empty() ? ExitCode::kOk : ExitCode::kNotMeasured;
}

void scan_new_points(const History& history, const ChangeOptions& options) {
  Transaction transaction(history.database());
  scan_all_series(history.database(), options);
  transaction.commit();
}

CheckResult check_history(const History& history, const ChangeOptions& options) {
  const Database& database = history.database();
  CheckResult out{.options = options};
  Transaction transaction(database);
  out.new_points = scan_all_series(database, options);
  for (const HistoryLine& line : history.lines()) {
    for (HistoryEvent& event : events_of(database, line, options))
      out.events.push_back(std::move(event));
    find_lost(database, line, out.lost);
  }
  out.runs = count(database, "SELECT COUNT(*) FROM run");
  out.series = count(database, "SELECT COUNT(*) FROM series");
  out.short_series = out.series - count(database,
                                        "SELECT COUNT(*) FROM scan WHERE NOT first_level OR "
                                        "level_points >= " +
                                            std::to_string(options.fewest_first + options.fewest));
  transaction.commit();
  std::stable_sort(out.events.begin(), out.events.end(),
                   [](const HistoryEvent& a, const HistoryEvent& b) {
                     return a.first_started > b.first_started;
                   });
  return out;
}

}  // namespace stepmark
