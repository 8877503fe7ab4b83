// SPDX-License-Identifier: Apache-2.0
// Sentences; nothing here is aligned or escaped.
#include "results/views/words/history_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace stepmark {
namespace {

std::string counted(std::int64_t count, const char* one, const char* several) {
  return fmt::format("{} {}", count, count == 1 ? one : several);
}

std::string state_of(const HistoryEvent& event) {
  if (!event.slower) return "faster";
  if (event.recovered) return fmt::format("alarm {}, recovered: slower", event.number);
  if (!event.acknowledged.empty()) {
    return fmt::format("alarm {}, acknowledged: slower", event.number);
  }
  return fmt::format("ALARM {}: slower", event.number);
}

}  // namespace

std::string line_words(const HistoryLine& line) {
  const std::string label = line.provenance == "measured" ? "" : ", " + line.provenance;
  return fmt::format("{} on {}, {}, {} {}{}", line.suite, line.place, line.backend, line.ranks,
                     line.ranks == 1 ? "rank" : "ranks", label);
}

std::string change_words(double ratio) {
  return std::isfinite(ratio) ? fmt::format("{:+.1f} %", 100 * (ratio - 1)) : "N/A";
}

std::string interval_words(const LevelRatio& ratio) {
  if (!std::isfinite(ratio.lower) || !std::isfinite(ratio.upper)) return "N/A";
  return fmt::format("{:+.1f} to {:+.1f} %", 100 * (ratio.lower - 1), 100 * (ratio.upper - 1));
}

std::string headline(const HistoryEvent& event) {
  std::string size = "N/A";
  if (!event.cases.empty()) {
    const LevelRatio& most = event.cases.front().ratio;
    size = fmt::format("{} ({})", change_words(most.ratio), interval_words(most));
  }
  return fmt::format("{} since run {}, {}{}, {}; {}", state_of(event), event.first_run,
                     event.cases.size() > 1 ? "at most " : "", size,
                     counted(static_cast<std::int64_t>(event.cases.size()), "case", "cases"),
                     line_words(event.line));
}

std::string check_words(const CheckResult& result) {
  const auto events = [&](auto&& is) {
    return static_cast<std::int64_t>(std::count_if(result.events.begin(), result.events.end(), is));
  };
  const std::int64_t acknowledged = events([](const HistoryEvent& event) {
    return event.slower && !event.recovered && !event.acknowledged.empty();
  });
  const std::int64_t recovered =
      events([](const HistoryEvent& event) { return event.slower && event.recovered; });
  const std::int64_t faster = events([](const HistoryEvent& event) { return !event.slower; });
  std::string out = fmt::format(
      "{}; {} acknowledged, {} recovered, {} faster{}. {} of {}",
      counted(result.alarms(), "alarm", "alarms"), acknowledged, recovered, faster,
      result.lost.empty()
          ? ""
          : fmt::format(", {} no longer measured",
                        counted(static_cast<std::int64_t>(result.lost.size()), "case", "cases")),
      counted(result.series, "series", "series"), counted(result.runs, "run", "runs"));
  if (result.new_points > 0) out += fmt::format(", {} new points", result.new_points);
  if (result.short_series > 0) {
    out += fmt::format("; {} of them too short to say anything ({} points)", result.short_series,
                       result.options.fewest_first + result.options.fewest);
  }
  return out + fmt::format("; exit code {}", static_cast<int>(result.exit_code()));
}

}  // namespace stepmark
