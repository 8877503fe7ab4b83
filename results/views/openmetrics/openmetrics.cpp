// SPDX-License-Identifier: Apache-2.0
// The samples of a family stand together, those of one set of labels in the order of time, as the
// format wants it: so the families are filled side by side and joined at the end.
#include "results/views/openmetrics/openmetrics.h"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "core/utf8.h"
#include "results/history/points.h"

namespace stepmark {
namespace {

// The label of a text: backslash, quote and line feed escaped, nothing that is no UTF-8.
std::string label(std::string_view name, std::string_view value) {
  std::string out = fmt::format("{}=\"", name);
  for (const char c : valid_utf8(value)) {
    if (c == '\\' || c == '"') out.push_back('\\');
    if (c == '\n') {
      out += "\\n";
    } else {
      out.push_back(c);
    }
  }
  return out + "\"";
}

std::string labels_of(const HistoryLine& line) {
  return fmt::format("{},{},{},ranks=\"{}\",{}", label("suite", line.suite),
                     label("place", line.place), label("backend", line.backend), line.ranks,
                     label("provenance", line.provenance));
}

class MetricFamily {
 public:
  MetricFamily(const char* name, const char* unit, const char* help)
      : name_(name), text_(fmt::format("# TYPE {} gauge\n", name)) {
    if (*unit != '\0') text_ += fmt::format("# UNIT {} {}\n", name, unit);
    text_ += fmt::format("# HELP {} {}\n", name, help);
  }
  // `at` < 0: without time. What is not known is left out, not written as a number.
  void add(const std::string& labels, double value, std::int64_t at) {
    if (!std::isfinite(value)) return;
    text_ += fmt::format("{}{{{}}} {}", name_, labels, value);
    text_ += at >= 0 ? fmt::format(" {}\n", at) : "\n";
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  const char* name_;
  std::string text_;
};

}  // namespace

std::string openmetrics_text(const History& history, const CheckResult& check, bool all_runs) {
  MetricFamily median("stepmark_case_time_seconds", "seconds",
                      "Median time of a case that was measured and passed its checks.");
  MetricFamily lower("stepmark_case_time_lower_seconds", "seconds",
                     "Lower end of the 95 % interval of the median.");
  MetricFamily upper("stepmark_case_time_upper_seconds", "seconds",
                     "Upper end of the 95 % interval of the median.");
  MetricFamily counts("stepmark_case_measured", "",
                      "1 for a case with a time that counts, 0 for one without.");
  MetricFamily started("stepmark_run_start_time_seconds", "seconds",
                       "When the newest run began, in seconds since 1970.");
  MetricFamily exit_code("stepmark_run_exit_code", "",
                         "What the newest run ended with; absent where it did not end by itself.");
  MetricFamily alarms("stepmark_alarms", "", "Alarms that nobody has acknowledged.");
  MetricFamily lost("stepmark_cases_lost", "", "Cases that had a time lately and have none now.");

  std::set<std::pair<std::int64_t, std::string>>
      seen;  // of a case that was changed the newest work
  each_series(history, !all_runs, [&](const HistorySeries& series) {
    if (!seen.emplace(series.line.id, series.case_id).second) return;
    const std::string labels =
        fmt::format("{},{},{}", labels_of(series.line), label("case", series.case_id),
                    label("family", series.family));
    std::int64_t last = -1;
    for (const HistoryPoint& point : series.points) {
      if (point.at == last) continue;  // one sample per time
      last = point.at;
      const std::int64_t at = all_runs ? point.at : -1;
      counts.add(labels, point.counts ? 1 : 0, at);
      if (!point.counts) continue;
      median.add(labels, point.median, at);
      lower.add(labels, point.lower, at);
      upper.add(labels, point.upper, at);
    }
  });
  for (const HistoryRun& run : history.runs(1)) {
    const std::string labels = labels_of(run.line);
    started.add(labels, static_cast<double>(run.at), -1);
    if (run.ended) exit_code.add(labels, run.exit_code, -1);
    std::int64_t open = 0, gone = 0;
    for (const HistoryEvent& event : check.events) {
      open += event.line.id == run.line.id && event.is_alarm() ? 1 : 0;
    }
    for (const LostCase& one : check.lost) gone += one.line.id == run.line.id ? 1 : 0;
    alarms.add(labels, static_cast<double>(open), -1);
    lost.add(labels, static_cast<double>(gone), -1);
  }
  std::string out;
  for (const MetricFamily* family :
       {&median, &lower, &upper, &counts, &started, &exit_code, &alarms, &lost}) {
    out += family->text();
  }
  return out + "# EOF\n";
}

}  // namespace stepmark
