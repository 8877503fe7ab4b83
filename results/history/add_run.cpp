// SPDX-License-Identifier: Apache-2.0
// One transaction per run. What is known already is looked at first, under the writer's lock, so
// that two processes that add the same journal do not both believe to be the first.
#include "results/history/add_run.h"

#include <chrono>
#include <filesystem>

#include "core/error.h"
#include "results/history/place.h"
#include "results/history/point.h"

namespace stepmark {
namespace {

std::int64_t now() {
  using namespace std::chrono;
  return duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
}

// All records of a run are measured, or all imported, ...: what one line of a history can be.
std::string provenance_of(const Run& run) {
  STEPMARK_REQUIRE(!run.records.empty(), "{}: has no record of any case: nothing to add", run.path);
  const Record& first = run.records.front();
  for (const Record& record : run.records) {
    STEPMARK_REQUIRE(
        record.provenance == first.provenance,
        "{}: '{}' is {} and '{}' is {}: a run of a history has one provenance; add them as "
        "journals of their own",
        run.path, first.case_id, name_of(first.provenance), record.case_id,
        name_of(record.provenance));
  }
  return std::string(name_of(first.provenance));
}

class Adding {
 public:
  Adding(const Database& database, const Run& run, const AddOptions& options)
      : database_(database), run_(run), place_(place_of(run.header, options.place)) {
    out_.place_guessed = place_.guessed;
    out_.run = {.run_id = run.header.run_id,
                .line = {.suite = run.header.suite,
                         .place = place_.name,
                         .backend = run.header.backend,
                         .ranks = run.header.ranks,
                         .provenance = provenance_of(run)},
                .started = options.time.empty() ? run.header.started : options.time,
                .added = utc_text(now()),
                .file = std::filesystem::path(run.path).filename().string(),
                .tool_version = run.header.tool_version,
                .git_revision = run.header.git_revision,
                .ended = run.ended,
                .exit_code = run.exit_code,
                .cases = static_cast<int>(run.header.cases.size())};
    out_.run.at = parse_utc(out_.run.started);
    for (const Record& record : run.records) points_.push_back(point_of(record));
    for (const Point& point : points_) out_.run.measured += point.counts ? 1 : 0;
  }

  AddResult store() {
    Transaction transaction(database_);
    find_line();
    const bool known = find_run();
    if (!known) insert_run();
    for (std::size_t i = 0; i < points_.size(); ++i) store_point(run_.records[i], points_[i]);
    if (!known) require_new();
    out_.what = !known ? Added::added : out_.points > 0 ? Added::grown : Added::known;
    if (out_.what == Added::grown) update_run();
    transaction.commit();
    return out_;
  }

 private:
  void find_line() {
    HistoryLine& line = out_.run.line;
    const auto bound = [&](std::string_view sql) {
      Statement statement = database_.prepare(sql);
      statement.bind(1, line.suite).bind(2, line.place).bind(3, line.backend);
      statement.bind(4, line.ranks).bind(5, line.provenance);
      return statement;
    };
    bound(
        "INSERT OR IGNORE INTO line(suite, place, backend, ranks, provenance) "
        "VALUES(?1, ?2, ?3, ?4, ?5)")
        .run();
    Statement found = bound(
        "SELECT id FROM line WHERE suite = ?1 AND place = ?2 AND backend = ?3 AND ranks = ?4 AND "
        "provenance = ?5");
    found.step();
    line.id = found.integer(0);
  }

  // A run of this id that is here keeps its line and its time.
  bool find_run() {
    Statement found = database_.prepare("SELECT id, line, at FROM run WHERE run_id = ?1");
    found.bind(1, out_.run.run_id);
    if (!found.step()) return false;
    out_.run.id = found.integer(0);
    STEPMARK_REQUIRE(found.integer(1) == out_.run.line.id && found.integer(2) == out_.run.at,
                     "{}: run {} is in the history already, at another place or time than '{}', {}",
                     run_.path, out_.run.run_id, out_.run.line.place, out_.run.started);
    return true;
  }

  void insert_run() {
    const HistoryRun& run = out_.run;
    database_
        .prepare(
            "INSERT INTO run(run_id, line, at, started, added, file, tool_version, git_revision, "
            "ended, exit_code, cases, measured) "
            "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)")
        .bind(1, run.run_id)
        .bind(2, run.line.id)
        .bind(3, run.at)
        .bind(4, run.started)
        .bind(5, run.added)
        .bind(6, run.file)
        .bind(7, run.tool_version)
        .bind(8, run.git_revision)
        .bind(9, run.ended)
        .bind(10, run.exit_code)
        .bind(11, run.cases)
        .bind(12, run.measured)
        .run();
    out_.run.id = database_.last_id();
    Statement fact = database_.prepare(
        "INSERT OR IGNORE INTO fact(section, name, value, fingerprint) VALUES(?1, ?2, ?3, ?4)");
    Statement link = database_.prepare(
        "INSERT OR IGNORE INTO run_fact(run, fact) SELECT ?5, id FROM fact WHERE section = ?1 AND "
        "name = ?2 AND value = ?3 AND fingerprint = ?4");
    for (const EnvironmentFact& one : run_.header.environment.facts) {
      for (Statement* statement : {&fact, &link}) {
        statement->bind(1, one.section).bind(2, one.name).bind(3, one.value);
        statement->bind(4, one.fingerprint);
      }
      fact.run();
      link.bind(5, out_.run.id).run();
    }
  }

  void update_run() {
    database_
        .prepare(
            "UPDATE run SET ended = ?2, exit_code = ?3, cases = ?4, measured = ?5 "
            "WHERE id = ?1")
        .bind(1, out_.run.id)
        .bind(2, out_.run.ended)
        .bind(3, out_.run.exit_code)
        .bind(4, out_.run.cases)
        .bind(5, out_.run.measured)
        .run();
  }

  std::int64_t series_of(const Record& record) {
    const std::string work = work_of(record);
    insert_series_.bind(1, out_.run.line.id).bind(2, record.case_id).bind(3, work);
    insert_series_.bind(4, record.family);
    insert_series_.bind(5, reach_of(record, place_.ranks_per_host)).run();
    find_series_.bind(1, out_.run.line.id).bind(2, record.case_id).bind(3, work);
    find_series_.step();
    const std::int64_t id = find_series_.integer(0);
    find_series_.reset();
    return id;
  }

  // What a case said may be replaced where it had no figure that counts (the journal was resumed).
  void store_point(const Record& record, const Point& point) {
    const std::int64_t series = series_of(record);
    find_point_.bind(1, series).bind(2, out_.run.at).bind(3, out_.run.id);
    const bool known = find_point_.step();
    const bool counted = known && find_point_.boolean(1);
    const bool same = known && find_point_.real(0) == point.median;
    find_point_.reset();
    if (counted) {
      STEPMARK_REQUIRE(
          same, "{}: run {} is in the history with another median of '{}': this is no copy of it",
          run_.path, out_.run.run_id, record.case_id);
      return;
    }
    if (known && !point.counts) return;
    put_point_.bind(1, series).bind(2, out_.run.at).bind(3, out_.run.id);
    put_point_.bind(4, point.median).bind(5, point.lower).bind(6, point.upper);
    put_point_.bind(7, point.samples).bind(8, point.counts).bind(9, point.outcome);
    put_point_.bind(10, point.remark).run();
    ++out_.points;
    forget_scan(series);
  }

  // A point among those that a check has seen: what it found behind this place may be otherwise.
  void forget_scan(std::int64_t series) {
    forget_scan_.bind(1, series).bind(2, out_.run.at).bind(3, out_.run.id).run();
    if (database_.changed_rows() == 0) return;
    forget_changes_.bind(1, series).run();
  }

  // A copy under another id began at the same second and has the same medians.
  void require_new() {
    Statement twin = database_.prepare(
        "SELECT run.run_id, COUNT(*) FROM point AS mine "
        "JOIN point AS theirs ON theirs.series = mine.series AND theirs.at = mine.at AND "
        "theirs.run <> mine.run AND theirs.median = mine.median "
        "JOIN run ON run.id = theirs.run WHERE mine.run = ?1 AND mine.counts "
        "GROUP BY theirs.run HAVING COUNT(*) = ?2");
    twin.bind(1, out_.run.id).bind(2, out_.run.measured);
    if (out_.run.measured == 0 || !twin.step()) return;
    throw Error(ExitCode::kUsage,
                fmt::format("{}: run {} began at the same time as {}, which is in the history, and "
                            "has the same medians: it is a copy",
                            run_.path, out_.run.run_id, twin.text(0)));
  }

  const Database& database_;
  const Run& run_;
  Place place_;
  AddResult out_;
  std::vector<Point> points_;
  Statement insert_series_ = database_.prepare(
      "INSERT OR IGNORE INTO series(line, case_id, work, family, unit, lower_is_better, reach) "
      "VALUES(?1, ?2, ?3, ?4, 's', 1, ?5)");
  Statement find_series_ =
      database_.prepare("SELECT id FROM series WHERE line = ?1 AND case_id = ?2 AND work = ?3");
  Statement find_point_ = database_.prepare(
      "SELECT median, counts FROM point WHERE series = ?1 AND at = ?2 AND run = ?3");
  Statement forget_scan_ =
      database_.prepare("DELETE FROM scan WHERE series = ?1 AND (at, run) >= (?2, ?3)");
  Statement forget_changes_ = database_.prepare("DELETE FROM change WHERE series = ?1");
  Statement put_point_ = database_.prepare(
      "INSERT OR REPLACE INTO point(series, at, run, median, lower, upper, samples, counts, "
      "outcome, remark) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)");
};

}  // namespace

AddResult add_run(const Database& database, const Run& run, const AddOptions& options) {
  STEPMARK_REQUIRE(run.damaged_lines.empty(),
                   "{}: has lines that do not fit their hashes: a history takes no damaged journal",
                   run.path);
  STEPMARK_REQUIRE(!run.header.run_id.empty(), "{}: has no run_id", run.path);
  return Adding(database, run, options).store();
}

}  // namespace stepmark
