// SPDX-License-Identifier: Apache-2.0
// A record is made of what its series and its point say; why a point does not count becomes what in
// a record says the same.
#include "results/history/kept_runs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <set>

#include "core/error.h"
#include "results/families/derive.h"
#include "results/history/database.h"
#include "results/history/point.h"
#include "results/history/rows.h"
#include "results/record/common_facts.h"

namespace stepmark {
namespace {

template <class Enum>
Enum named(const std::string& name, std::initializer_list<Enum> values, Enum otherwise) {
  const auto found = std::find_if(values.begin(), values.end(),
                                  [&](Enum value) { return name_of(value) == name; });
  return found == values.end() ? otherwise : *found;
}

// Takes `beginning` off the text, where it has it.
bool take(std::string& text, std::string_view beginning) {
  if (!text.starts_with(beginning)) return false;
  text.erase(0, beginning.size());
  return true;
}

void add_remark(std::string remark, Record& record) {
  if (record.outcome != Outcome::ok) {
    take(remark, fmt::format("{}: ", name_of(record.outcome)));
    record.reason = std::move(remark);
  } else if (take(remark, "check failed: ")) {
    record.checks.push_back({.name = std::move(remark), .detail = "as the history has it"});
  } else if (take(remark, "not performance")) {
    record.perf_valid = false;
    if (take(remark, ": ")) record.texts.emplace_back(facts::kTopology, remark);
  }
}

class Reader {
 public:
  explicit Reader(const History& history)
      : path_(history.database().path()), database_(history.database()) {}

  std::vector<HistoryRun> runs(const HistoryLine& line, const KeptRuns& wanted) {
    Statement rows = database_.prepare(
        fmt::format("SELECT {} FROM run WHERE line = ?1 AND at >= ?2 AND at < ?3 ORDER BY at, id",
                    kRunColumns));
    rows.bind(1, line.id).bind(2, wanted.from).bind(3, wanted.to);
    std::vector<HistoryRun> out;
    while (rows.step()) out.push_back(run_of(rows, line));
    return out;
  }

  Run read(const HistoryRun& kept) {
    Run out{.path = fmt::format("{}: {}", path_, kept.run_id)};
    RunHeader& header = out.header;
    header.run_id = kept.run_id;
    header.started = kept.started;
    header.tool_version = kept.tool_version;
    header.git_revision = kept.git_revision;
    header.suite = kept.line.suite;
    header.backend = kept.line.backend;
    header.ranks = kept.line.ranks;
    facts_.reset().bind(1, kept.id);
    while (facts_.step()) {
      header.environment.facts.push_back({.section = facts_.text(0),
                                          .name = facts_.text(1),
                                          .value = facts_.text(2),
                                          .fingerprint = facts_.boolean(3)});
    }
    facts_.reset();
    points_.reset().bind(1, kept.id);
    while (points_.step()) out.records.push_back(record(kept));
    points_.reset();
    for (const Record& one : out.records) header.cases.push_back(one.case_id);
    out.ended = kept.ended;
    out.exit_code = kept.exit_code;
    return out;
  }

 private:
  Record record(const HistoryRun& kept) {
    Record out{.case_id = points_.text(0), .family = points_.text(1)};
    out.provenance = named(kept.line.provenance,
                           {Provenance::measured, Provenance::simulated, Provenance::projected},
                           Provenance::imported);
    out.outcome = named(points_.text(7), {Outcome::ok, Outcome::skipped, Outcome::failed},
                        Outcome::not_measured);
    out.started_unix_s = static_cast<double>(kept.at);
    add_work(points_.text(2), out);
    if (!points_.boolean(8)) add_remark(points_.text(9), out);
    if (!points_.is_null(3)) {
      out.summaries.push_back({.series = std::string(facts::kTimeS),
                               .count = points_.integer(6),
                               .effective_count = kUnknown,
                               .median = points_.real(3),
                               .lower = points_.is_null(4) ? kUnknown : points_.real(4),
                               .upper = points_.is_null(5) ? kUnknown : points_.real(5),
                               .mean = kUnknown,
                               .min = kUnknown,
                               .max = kUnknown,
                               .p95 = kUnknown,
                               .p99 = kUnknown,
                               .mad = kUnknown});
      derive_from_summaries(out);
    }
    return out;
  }

  static constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  std::string path_;
  const Database& database_;
  Statement facts_ = database_.prepare(
      "SELECT section, name, value, fingerprint FROM run_fact JOIN fact ON fact.id = run_fact.fact "
      "WHERE run = ?1 ORDER BY fact.id");
  Statement points_ = database_.prepare(
      "SELECT case_id, family, work, median, lower, upper, samples, outcome, counts, remark "
      "FROM point JOIN series ON series.id = point.series WHERE run = ?1 ORDER BY case_id, work");
};

}  // namespace

std::vector<Run> kept_runs(const History& history, const KeptRuns& wanted) {
  Reader reader(history);
  std::vector<HistoryRun> found;
  std::set<std::string> places;
  for (const HistoryLine& line : history.lines()) {
    std::vector<HistoryRun> of_line = reader.runs(line, wanted);
    if (!of_line.empty() || !wanted.place.empty()) places.insert(line.place);
    if (!wanted.place.empty() && line.place != wanted.place) continue;
    found.insert(found.end(), of_line.begin(), of_line.end());
  }
  const std::string& path = history.database().path();
  STEPMARK_REQUIRE(wanted.place.empty() || places.contains(wanted.place),
                   "{}: no run is of place '{}', but of {}", path, wanted.place,
                   fmt::join(places, ", "));
  STEPMARK_REQUIRE(!wanted.place.empty() || places.size() < 2,
                   "{}: its runs of that time are of several places ({}): say --place NAME, for "
                   "terms are of one",
                   path, fmt::join(places, ", "));
  std::stable_sort(found.begin(), found.end(),
                   [](const HistoryRun& a, const HistoryRun& b) { return a.at < b.at; });
  std::vector<Run> out;
  for (const HistoryRun& one : found) out.push_back(reader.read(one));
  return out;
}

}  // namespace stepmark
