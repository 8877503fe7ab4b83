// SPDX-License-Identifier: Apache-2.0
// Migrations are a list: entry i makes version i + 1 out of version i, in one transaction with the
// change of `user_version`, so that a file is always of one version. What has been released is
// never edited, only followed.
#include "results/history/history_file.h"

#include <array>

#include "core/error.h"

namespace stepmark {
namespace {

// Points are kept in the order in which a series is read: by time within the series. A run that
// began at the same second as another one is behind it if it was added later.
constexpr const char* kVersion1 = R"sql(
CREATE TABLE line(
  id INTEGER PRIMARY KEY, suite TEXT NOT NULL, place TEXT NOT NULL, backend TEXT NOT NULL,
  ranks INTEGER NOT NULL, provenance TEXT NOT NULL,
  UNIQUE(suite, place, backend, ranks, provenance));
CREATE TABLE run(
  id INTEGER PRIMARY KEY, run_id TEXT NOT NULL UNIQUE, line INTEGER NOT NULL REFERENCES line(id),
  at INTEGER NOT NULL, started TEXT NOT NULL, added TEXT NOT NULL, file TEXT NOT NULL,
  tool_version TEXT NOT NULL, git_revision TEXT NOT NULL,
  ended INTEGER NOT NULL, exit_code INTEGER NOT NULL, cases INTEGER NOT NULL,
  measured INTEGER NOT NULL);
CREATE INDEX run_of_line ON run(line, at, id);
CREATE TABLE fact(
  id INTEGER PRIMARY KEY, section TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
  fingerprint INTEGER NOT NULL, UNIQUE(section, name, value, fingerprint));
CREATE TABLE run_fact(
  run INTEGER NOT NULL REFERENCES run(id), fact INTEGER NOT NULL REFERENCES fact(id),
  PRIMARY KEY(run, fact)) WITHOUT ROWID;
CREATE TABLE series(
  id INTEGER PRIMARY KEY, line INTEGER NOT NULL REFERENCES line(id), case_id TEXT NOT NULL,
  work TEXT NOT NULL, family TEXT NOT NULL, unit TEXT NOT NULL, lower_is_better INTEGER NOT NULL,
  reach TEXT NOT NULL, UNIQUE(line, case_id, work));
CREATE TABLE point(
  series INTEGER NOT NULL REFERENCES series(id), at INTEGER NOT NULL,
  run INTEGER NOT NULL REFERENCES run(id), median REAL, lower REAL, upper REAL,
  samples INTEGER NOT NULL, counts INTEGER NOT NULL, outcome TEXT NOT NULL, remark TEXT NOT NULL,
  PRIMARY KEY(series, at, run)) WITHOUT ROWID;
CREATE INDEX point_of_run ON point(run);
)sql";

// What checks found, and what people say. A scan is gone on with under the same options alone.
constexpr const char* kVersion2 = R"sql(
CREATE TABLE scan(
  series INTEGER PRIMARY KEY REFERENCES series(id), options TEXT NOT NULL, at INTEGER NOT NULL,
  run INTEGER NOT NULL, level_points INTEGER NOT NULL, first_level INTEGER NOT NULL);
CREATE TABLE change(
  series INTEGER NOT NULL REFERENCES series(id), at INTEGER NOT NULL,
  run INTEGER NOT NULL REFERENCES run(id), found_run INTEGER NOT NULL REFERENCES run(id),
  ratio REAL NOT NULL, split_p REAL NOT NULL, means_p REAL NOT NULL,
  PRIMARY KEY(series, at, run)) WITHOUT ROWID;
CREATE TABLE alarm(
  number INTEGER PRIMARY KEY AUTOINCREMENT, line INTEGER NOT NULL REFERENCES line(id),
  run INTEGER NOT NULL REFERENCES run(id), acknowledged TEXT NOT NULL, note TEXT NOT NULL);
CREATE TABLE annotation(
  id INTEGER PRIMARY KEY, line INTEGER REFERENCES line(id), at INTEGER NOT NULL,
  text TEXT NOT NULL, made TEXT NOT NULL);
)sql";

constexpr std::array<const char*, 2> kMigrations = {kVersion1, kVersion2};

bool is_empty(const Database& database) {
  Statement any = database.prepare("SELECT 1 FROM sqlite_schema LIMIT 1");
  return !any.step();
}

struct Header {
  std::int64_t mark = 0, version = 0;
  bool fresh = false;
};

// All of one moment: another process may be making the tables.
Header read_header(const Database& database) {
  database.run("BEGIN");
  Header out{.mark = database.pragma("application_id"), .version = database.pragma("user_version")};
  out.fresh = is_empty(database) && out.mark == 0 && out.version == 0;
  database.run("COMMIT");
  return out;
}

// Another process may have done it meanwhile: all is read again under the lock.
void migrate(const Database& database) {
  Transaction transaction(database);
  const auto from = static_cast<std::size_t>(database.pragma("user_version"));
  for (std::size_t version = from; version < kMigrations.size(); ++version) {
    database.run(kMigrations.at(version));
  }
  database.run(fmt::format("PRAGMA application_id = {}", kHistoryMark));
  database.run(fmt::format("PRAGMA user_version = {}", kMigrations.size()));
  transaction.commit();
}

}  // namespace

int history_version() { return static_cast<int>(kMigrations.size()); }

Database open_history_file(const std::string& path, bool create) {
  Database database(path, create);
  const Header header = read_header(database);
  STEPMARK_REQUIRE(header.fresh || header.mark == kHistoryMark,
                   "{}: is a SQLite database of another program; name another --db", path);
  STEPMARK_REQUIRE(header.version >= 0 && header.version <= history_version(),
                   "{}: this history has version {} and this build of stepmark reads up to {}: use "
                   "a newer stepmark",
                   path, header.version, history_version());
  if (header.fresh) database.run("PRAGMA journal_mode = WAL");  // readers beside the writer
  if (header.version < history_version()) migrate(database);
  database.run("PRAGMA foreign_keys = ON");
  return database;
}

}  // namespace stepmark
