// SPDX-License-Identifier: Apache-2.0
// VACUUM cannot be part of a transaction: what is taken away is gone first, space comes back after.
#include "results/history/compact.h"

#include <filesystem>

#include "core/error.h"
#include "results/history/database.h"

namespace stepmark {
namespace {

std::int64_t size_of(const std::string& path) {
  std::int64_t bytes = 0;
  for (const char* end : {"", "-wal"}) {
    std::error_code none;
    const auto size = std::filesystem::file_size(path + end, none);
    if (!none) bytes += static_cast<std::int64_t>(size);
  }
  return bytes;
}

void require_whole(const Database& database) {
  Statement check = database.prepare("PRAGMA quick_check(1)");
  const std::string said = check.step() ? check.text(0) : "nothing";
  STEPMARK_REQUIRE(said == "ok", "{}: this history is damaged ({}); restore a copy of it",
                   database.path(), said);
}

}  // namespace

Compacted compact_history(const History& history, std::int64_t before) {
  const Database& database = history.database();
  require_whole(database);
  Compacted out{.bytes_before = size_of(database.path())};
  {
    Transaction transaction(database);
    // A run of an alarm or a change, and the one before it in its line.
    Statement remove = database.prepare(
        "DELETE FROM run_fact WHERE fact IN (SELECT id FROM fact WHERE NOT fingerprint) AND run IN "
        "(WITH ordered AS (SELECT id, at, LEAD(id) OVER (PARTITION BY line ORDER BY at, id) AS "
        "next "
        "                  FROM run), "
        "      kept AS (SELECT run FROM alarm UNION SELECT run FROM change) "
        " SELECT id FROM ordered WHERE at < ?1 AND next IS NOT NULL AND "
        " id NOT IN (SELECT run FROM kept) AND next NOT IN (SELECT run FROM kept))");
    remove.bind(1, before).run();
    out.facts = database.changed_rows();
    database.run("DELETE FROM fact WHERE id NOT IN (SELECT fact FROM run_fact)");
    transaction.commit();
  }
  database.run("VACUUM");
  database.run("PRAGMA wal_checkpoint(TRUNCATE)");
  out.bytes_after = size_of(database.path());
  return out;
}

}  // namespace stepmark
