// SPDX-License-Identifier: Apache-2.0
// Notes outlive what they are of: a scan from the beginning finds its alarm again by line and run.
#include "results/history/notes.h"

#include <chrono>

#include "results/history/database.h"
#include "results/history/rows.h"

namespace stepmark {
namespace {

std::string now() {
  using namespace std::chrono;
  return utc_text(duration_cast<seconds>(system_clock::now().time_since_epoch()).count());
}

void require_alarm(const Database& database, std::int64_t number) {
  Statement known = database.prepare("SELECT 1 FROM alarm WHERE number = ?1");
  STEPMARK_REQUIRE(known.bind(1, number).step(),
                   "{}: there is no alarm {}: stepmark history check --db {} lists them",
                   database.path(), number, database.path());
}

}  // namespace

Annotation annotate(const History& history, const std::string& when, const std::string& text) {
  STEPMARK_REQUIRE(!text.empty(), "an annotation needs a text");
  const Database& database = history.database();
  Transaction transaction(database);
  Statement run = database.prepare("SELECT line, at FROM run WHERE run_id = ?1");
  const bool is_run = run.bind(1, when).step();
  Annotation out{.text = text, .made = now()};
  if (is_run) {
    out.at = run.integer(1);
  } else {
    try {
      out.at = parse_utc(when);
    } catch (const Error& error) {
      throw Error(ExitCode::kUsage, fmt::format("{}: there is no run '{}', and as a time: {}",
                                                database.path(), when, error.message()));
    }
  }
  out.when = utc_text(out.at);
  Statement insert =
      database.prepare("INSERT INTO annotation(line, at, text, made) VALUES(?1, ?2, ?3, ?4)");
  if (is_run) insert.bind(1, run.integer(0));  // else NULL: of all lines
  insert.bind(2, out.at).bind(3, out.text).bind(4, out.made).run();
  run.reset();
  transaction.commit();
  return out;
}

std::vector<Annotation> annotations(const History& history) {
  Statement rows = history.database().prepare(
      fmt::format("SELECT {} FROM annotation ORDER BY at, id", kAnnotationColumns));
  return annotations_of(rows);
}

std::vector<std::int64_t> acknowledge(const History& history,
                                      const std::vector<std::int64_t>& numbers,
                                      const std::string& note) {
  const Database& database = history.database();
  Transaction transaction(database);
  std::vector<std::int64_t> out;
  Statement update = database.prepare(
      "UPDATE alarm SET acknowledged = ?2, note = ?3 WHERE number = ?1 AND acknowledged = ''");
  for (const std::int64_t number : numbers) {
    require_alarm(database, number);
    update.bind(1, number).bind(2, now()).bind(3, note).run();
    if (database.changed_rows() > 0) out.push_back(number);
  }
  transaction.commit();
  return out;
}

void take_back(const History& history, const std::vector<std::int64_t>& numbers) {
  const Database& database = history.database();
  Transaction transaction(database);
  Statement update =
      database.prepare("UPDATE alarm SET acknowledged = '', note = '' WHERE number = ?1");
  for (const std::int64_t number : numbers) {
    require_alarm(database, number);
    update.bind(1, number).run();
  }
  transaction.commit();
}

}  // namespace stepmark
