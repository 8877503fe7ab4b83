// SPDX-License-Identifier: Apache-2.0
// An event is a headline, what is known of it, and a table of its cases.
#include "results/views/table/check_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "results/views/table/text_table.h"
#include "results/views/words/history_words.h"

namespace stepmark {
namespace {

constexpr std::size_t kMostCases = 12;
constexpr std::size_t kMostFacts = 12;

std::string said(const std::string& value) { return value.empty() ? "nothing" : value; }

std::string cases_table(const HistoryEvent& event, bool all) {
  TextTable table({{.title = "  case", .align = Align::left},
                   {.title = "time"},
                   {.title = "95 %"},
                   {.title = "now", .align = Align::left}});
  const std::size_t shown = all ? event.cases.size() : std::min(event.cases.size(), kMostCases);
  for (std::size_t i = 0; i < shown; ++i) {
    const ChangedCase& one = event.cases[i];
    table.add({"  " + one.case_id, change_words(one.ratio.ratio), interval_words(one.ratio),
               one.recovered ? "recovered" : ""});
  }
  std::string out = table.text();
  if (shown < event.cases.size()) {
    out += fmt::format("  ... and {} more: --all\n", event.cases.size() - shown);
  }
  return out;
}

std::string facts_text(const HistoryEvent& event, bool all) {
  if (event.differences.empty()) return wrapped("  environment: no fact differs", 4);
  std::string out;
  const std::size_t shown =
      all ? event.differences.size() : std::min(event.differences.size(), kMostFacts);
  for (std::size_t i = 0; i < shown; ++i) {
    const FactDifference& one = event.differences[i];
    out += wrapped(
        fmt::format("  {} {}: {} -> {}", one.section, one.name, said(one.before), said(one.after)),
        6);
  }
  if (shown < event.differences.size()) {
    out += fmt::format("  ... and {} more facts: --all\n", event.differences.size() - shown);
  }
  return out;
}

std::string event_text(const HistoryEvent& event, bool all) {
  std::string out = wrapped(headline(event), 2);
  out += wrapped(fmt::format("  first {} run {} ({}), last before it {} ({}); shown by {}",
                             event.slower ? "bad" : "fast", event.first_run, event.first_started,
                             event.last_run, event.last_started, event.found_run),
                 4);
  if (event.slower) {
    out += wrapped(fmt::format("  probable layer: {}: {}", event.layer.name, event.layer.why), 4);
  }
  for (const Annotation& one : event.annotations) {
    out += wrapped(fmt::format("  note of {}: {}", one.when, one.text), 4);
  }
  out += facts_text(event, all);
  if (!event.acknowledged.empty()) {
    out += wrapped(fmt::format("  acknowledged {}: {}", event.acknowledged, said(event.note)), 4);
  }
  return out + cases_table(event, all);
}

std::string lost_text(const std::vector<LostCase>& lost) {
  TextTable table({{.title = "no longer measured", .align = Align::left},
                   {.title = "last time in", .align = Align::left},
                   {.title = "newest run", .align = Align::left},
                   {.title = "there", .align = Align::left}});
  for (const LostCase& one : lost) {
    table.add({one.case_id, one.last_run, one.newest_run, one.reason});
  }
  return table.text();
}

}  // namespace

std::string check_table(const CheckResult& result, bool all) {
  std::string out;
  for (const HistoryEvent& event : result.events) {
    if (!all && !event.is_alarm()) continue;
    out += event_text(event, all) + "\n";
  }
  if (!result.lost.empty()) out += lost_text(result.lost) + "\n";
  return out + wrapped(check_words(result), 2);
}

}  // namespace stepmark
