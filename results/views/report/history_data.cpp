// SPDX-License-Identifier: Apache-2.0
// Points name their run by its place, so that a long history stays small; what is left out is
// counted.
#include "results/views/report/history_data.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "results/history/notes.h"
#include "results/history/points.h"
#include "results/views/json/history_json.h"
#include "results/views/words/history_words.h"

namespace stepmark {
namespace {

using nlohmann::json;

// Six digits: what a drawing can show, and a table of it.
json rounded(double value) {
  if (!std::isfinite(value) || value == 0) return value == 0 ? json(0) : json(nullptr);
  const double scale = std::pow(10.0, 5 - std::floor(std::log10(std::abs(value))));
  return std::isfinite(scale) && scale > 0 ? json(std::round(value * scale) / scale) : json(value);
}

struct Line {
  HistoryLine line;
  std::vector<HistoryRun> runs;
  std::map<std::string, std::size_t> place;  // of a run
  std::vector<json> changed, steady;         // series
};

std::string state_of(const HistoryEvent& event, const ChangedCase& one) {
  if (!event.slower) return "faster";
  if (one.recovered) return "recovered";
  return event.acknowledged.empty() ? "alarm" : "acknowledged";
}

json changes_of(const Line& line, const HistorySeries& series, const CheckResult& check) {
  json out = json::array();
  for (const HistoryEvent& event : check.events) {
    const auto run = line.place.find(event.first_run);
    if (event.line.id != line.line.id || run == line.place.end()) continue;
    // Of a case that was changed there are several series: the change is of the one that was
    // measured then, though perhaps not in that very run.
    const std::int64_t at = line.runs.at(run->second).at;
    const bool in_series =
        !series.points.empty() && series.points.front().at <= at && at <= series.points.back().at;
    for (const ChangedCase& one : event.cases) {
      if (one.case_id != series.case_id || !in_series) continue;
      out.push_back({{"run", run->second},
                     {"ratio", rounded(one.ratio.ratio)},
                     {"lower", rounded(one.ratio.lower)},
                     {"upper", rounded(one.ratio.upper)},
                     {"slower", event.slower},
                     {"state", state_of(event, one)},
                     {"alarm", event.number}});
    }
  }
  return out;
}

json points_of(const Line& line, const HistorySeries& series) {
  json out = json::array();
  for (const HistoryPoint& point : series.points) {
    const auto run = line.place.find(point.run_id);
    if (run == line.place.end()) continue;
    out.push_back({run->second, rounded(point.median), rounded(point.lower), rounded(point.upper),
                   point.counts});
  }
  return out;
}

void add_series(Line& line, const HistorySeries& series, const CheckResult& check) {
  json points = points_of(line, series);
  const bool drawn = std::any_of(points.begin(), points.end(),
                                 [](const json& point) { return !point[1].is_null(); });
  if (!drawn) return;  // never measured: `history check` says what is lost
  json changes = changes_of(line, series, check);
  const bool changed = !changes.empty();
  (changed ? line.changed : line.steady)
      .push_back({{"case_id", series.case_id},
                  {"unit", series.unit},
                  {"points", std::move(points)},
                  {"changes", std::move(changes)}});
}

// Where a note stands: the first run that is not before it. Not among the runs that are shown:
// none.
json notes_of(const Line& line, const std::vector<Annotation>& all) {
  json out = json::array();
  for (const Annotation& one : all) {
    if (one.line != 0 && one.line != line.line.id) continue;
    const auto run = std::find_if(line.runs.begin(), line.runs.end(),
                                  [&](const HistoryRun& r) { return r.at >= one.at; });
    if (run == line.runs.end() || (run == line.runs.begin() && one.at < run->at)) continue;
    out.push_back({{"run", run - line.runs.begin()}, {"when", one.when}, {"text", one.text}});
  }
  return out;
}

json line_json(Line& line, const std::vector<Annotation>& notes, std::size_t& left_points) {
  json runs = json::array();
  for (const HistoryRun& run : line.runs) runs.push_back({run.run_id, run.started});
  json series = json::array();
  int left_out = 0;
  for (auto* list : {&line.changed, &line.steady}) {
    for (json& one : *list) {
      const std::size_t points = one["points"].size();
      if (points > left_points) {
        ++left_out;
        continue;
      }
      left_points -= points;
      series.push_back(std::move(one));
    }
  }
  return {{"words", line_words(line.line)},
          {"runs", std::move(runs)},
          {"series", std::move(series)},
          {"left_out", left_out},
          {"notes", notes_of(line, notes)}};
}

std::map<std::int64_t, Line> lines_of(const History& history) {
  std::map<std::int64_t, Line> out;
  for (HistoryRun& run : history.runs(kHistoryRuns)) {
    Line& line = out[run.line.id];
    line.line = run.line;
    line.place.emplace(run.run_id, line.runs.size());
    line.runs.push_back(std::move(run));
  }
  return out;
}

}  // namespace

json history_data(const History& history, const CheckResult& check) {
  auto lines = lines_of(history);
  each_series(history, false, [&](const HistorySeries& series) {
    add_series(lines.at(series.line.id), series, check);
  });
  const auto notes = annotations(history);
  std::size_t left_points = kHistoryPoints;
  json shown = json::array();
  for (auto& [id, line] : lines) shown.push_back(line_json(line, notes, left_points));
  json events = json::array();
  for (const HistoryEvent& event : check.events) {
    events.push_back(to_json(event));
    events.back()["words"] = headline(event);
  }
  return {{"said", check_words(check)}, {"lines", std::move(shown)}, {"events", std::move(events)}};
}

}  // namespace stepmark
