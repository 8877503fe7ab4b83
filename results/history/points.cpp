// SPDX-License-Identifier: Apache-2.0
// One series is in memory at a time.
#include "results/history/points.h"

#include "results/history/database.h"

namespace stepmark {
namespace {

void load_points(Statement& rows, std::int64_t series, std::int64_t run, HistorySeries& out) {
  rows.reset().bind(1, series).bind(2, run);
  while (rows.step()) {
    out.points.push_back({.run_id = rows.text(0),
                          .started = rows.text(1),
                          .at = rows.integer(2),
                          .median = rows.real(3),
                          .lower = rows.real(4),
                          .upper = rows.real(5),
                          .samples = rows.integer(6),
                          .counts = rows.boolean(7),
                          .outcome = rows.text(8),
                          .remark = rows.text(9)});
  }
  rows.reset();
}

std::int64_t newest_run(const Database& database, std::int64_t line) {
  Statement newest =
      database.prepare("SELECT id FROM run WHERE line = ?1 ORDER BY at DESC, id DESC LIMIT 1");
  return newest.bind(1, line).step() ? newest.integer(0) : -1;
}

}  // namespace

void each_series(const History& history, bool newest_only,
                 const std::function<void(const HistorySeries&)>& visit) {
  const Database& database = history.database();
  Statement series = database.prepare(
      "SELECT id, case_id, family, unit, work, lower_is_better FROM series WHERE line = ?1 "
      "ORDER BY case_id, (SELECT MAX(at) FROM point WHERE point.series = series.id) DESC, id DESC");
  Statement points = database.prepare(
      "SELECT run_id, started, point.at, median, lower, upper, samples, counts, outcome, remark "
      "FROM point JOIN run ON run.id = point.run WHERE series = ?1 AND (?2 < 0 OR run = ?2) "
      "ORDER BY point.at, point.run");
  for (const HistoryLine& line : history.lines()) {
    const std::int64_t run = newest_only ? newest_run(database, line.id) : -1;
    series.reset().bind(1, line.id);
    while (series.step()) {
      HistorySeries one{.line = line,
                        .case_id = series.text(1),
                        .family = series.text(2),
                        .unit = series.text(3),
                        .work = series.text(4),
                        .lower_is_better = series.boolean(5)};
      load_points(points, series.integer(0), run, one);
      if (!one.points.empty()) visit(one);
    }
  }
}

}  // namespace stepmark
