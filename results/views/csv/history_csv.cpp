// SPDX-License-Identifier: Apache-2.0
// One row per point: a case of a run. Cases without a time are rows too.
#include "results/views/csv/history_csv.h"

#include "results/history/points.h"
#include "results/views/csv/row.h"

namespace stepmark {
namespace {

constexpr std::string_view kHeader =
    "run_id,started,suite,place,backend,ranks,provenance,case_id,family,unit,lower_is_better,"
    "median,lower,upper,samples,counts,outcome,remark\r\n";

}  // namespace

std::string history_csv(const History& history, bool newest_only) {
  std::string out(kHeader);
  each_series(history, newest_only, [&out](const HistorySeries& series) {
    const HistoryLine& line = series.line;
    for (const HistoryPoint& point : series.points) {
      csv::Row row;
      row << point.run_id << point.started << line.suite << line.place << line.backend
          << std::to_string(line.ranks) << line.provenance << series.case_id << series.family
          << series.unit << (series.lower_is_better ? "true" : "false") << csv::exact(point.median)
          << csv::exact(point.lower) << csv::exact(point.upper) << std::to_string(point.samples)
          << (point.counts ? "true" : "false") << point.outcome << point.remark;
      out += row.line();
    }
  });
  return out;
}

}  // namespace stepmark
