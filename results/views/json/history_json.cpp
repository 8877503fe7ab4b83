// SPDX-License-Identifier: Apache-2.0
// Undefined numbers are null, as everywhere.
#include "results/views/json/history_json.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "results/history/notes.h"
#include "results/history/points.h"

namespace stepmark {

using nlohmann::json;

namespace {

constexpr int kVersion = 1;  // of the JSON of histories

json number(double value) { return std::isfinite(value) ? json(value) : json(nullptr); }

json to_json(const ChangedCase& one) {
  return {{"case_id", one.case_id},           {"family", one.family},
          {"ratio", number(one.ratio.ratio)}, {"lower", number(one.ratio.lower)},
          {"upper", number(one.ratio.upper)}, {"split_p", number(one.split_p)},
          {"means_p", number(one.means_p)},   {"recovered", one.recovered}};
}

json to_json(const Annotation& one) {
  return {{"when", one.when}, {"text", one.text}, {"made", one.made}};
}

json to_json(const FactDifference& one) {
  return {{"section", one.section},
          {"name", one.name},
          {"before", one.before},
          {"after", one.after},
          {"fingerprint", one.fingerprint}};
}

template <class List>
json list_of_json(const List& list) {
  json out = json::array();
  for (const auto& one : list) out.push_back(to_json(one));
  return out;
}

json to_json(const HistorySeries& series) {
  json points = json::array();
  for (const HistoryPoint& point : series.points) {
    points.push_back({{"run_id", point.run_id},
                      {"started", point.started},
                      {"median", number(point.median)},
                      {"lower", number(point.lower)},
                      {"upper", number(point.upper)},
                      {"samples", point.samples},
                      {"counts", point.counts},
                      {"outcome", point.outcome},
                      {"remark", point.remark}});
  }
  return {{"line", to_json(series.line)}, {"case_id", series.case_id},
          {"family", series.family},      {"unit", series.unit},
          {"work", series.work},          {"lower_is_better", series.lower_is_better},
          {"points", std::move(points)}};
}

}  // namespace

json to_json(const HistoryLine& line) {
  return {{"suite", line.suite},
          {"place", line.place},
          {"backend", line.backend},
          {"ranks", line.ranks},
          {"provenance", line.provenance}};
}

json to_json(const HistoryRun& run) {
  return {{"run_id", run.run_id},
          {"line", to_json(run.line)},
          {"started", run.started},
          {"added", run.added},
          {"file", run.file},
          {"tool_version", run.tool_version},
          {"git_revision", run.git_revision},
          {"ended", run.ended},
          {"exit_code", run.exit_code},
          {"cases", run.cases},
          {"measured", run.measured}};
}

json to_json(const HistoryEvent& event) {
  return {{"alarm", event.number == 0 ? json(nullptr) : json(event.number)},
          {"line", to_json(event.line)},
          {"direction", event.slower ? "slower" : "faster"},
          {"is_alarm", event.is_alarm()},
          {"first_run", event.first_run},
          {"first_started", event.first_started},
          {"last_run", event.last_run},
          {"last_started", event.last_started},
          {"found_run", event.found_run},
          {"cases", list_of_json(event.cases)},
          {"layer", event.layer.name},
          {"layer_why", event.layer.why},
          {"differences", list_of_json(event.differences)},
          {"annotations", list_of_json(event.annotations)},
          {"recovered", event.recovered},
          {"acknowledged", event.acknowledged},
          {"note", event.note}};
}

json to_json(const CheckResult& result) {
  json lost = json::array();
  for (const LostCase& one : result.lost) {
    lost.push_back({{"line", to_json(one.line)},
                    {"case_id", one.case_id},
                    {"last_run", one.last_run},
                    {"newest_run", one.newest_run},
                    {"reason", one.reason}});
  }
  return {{"schema_version", kVersion},      {"options", result.options.text()},
          {"alarms", result.alarms()},       {"events", list_of_json(result.events)},
          {"lost", std::move(lost)},         {"runs", result.runs},
          {"series", result.series},         {"short_series", result.short_series},
          {"new_points", result.new_points}, {"exit_code", static_cast<int>(result.exit_code())}};
}

json history_json(const History& history, const CheckResult& check, bool newest_only) {
  json series = json::array();
  each_series(history, newest_only,
              [&series](const HistorySeries& one) { series.push_back(to_json(one)); });
  return {{"schema_version", kVersion},
          {"runs", runs_json(history.runs(newest_only ? 1 : 0))},
          {"series", std::move(series)},
          {"check", to_json(check)},
          {"annotations", list_of_json(annotations(history))}};
}

json runs_json(const std::vector<HistoryRun>& runs) {
  json out = json::array();
  for (const HistoryRun& run : runs) out.push_back(to_json(run));
  return out;
}

}  // namespace stepmark
