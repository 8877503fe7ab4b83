// SPDX-License-Identifier: Apache-2.0
// libsqlite3. A file that comes from elsewhere must not run what its schema holds: defensive mode,
// untrusted schema. Writers wait for each other by SQLite's own busy handler.
#include "results/history/database.h"

#include <sqlite3.h>

#include <cmath>
#include <filesystem>
#include <utility>

#include "core/error.h"

namespace stepmark {
namespace {

constexpr int kBusyMs = 60000;  // a nightly job of many suites ends at the same time

[[noreturn]] void fail(const std::string& path, int code, const std::string& said) {
  switch (code & 0xff) {
    case SQLITE_NOTADB:
      throw Error(ExitCode::kUsage,
                  fmt::format("{}: is no history: not a SQLite database ({}); name another --db",
                              path, said));
    case SQLITE_CORRUPT:
      throw Error(ExitCode::kUsage, fmt::format("{}: this history is damaged ({}); restore a copy "
                                                "of it, or add the journals to a new one",
                                                path, said));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw Error(ExitCode::kEnvironment,
                  fmt::format("{}: another process has kept this history locked for {} s ({}); "
                              "try again when it has ended",
                              path, kBusyMs / 1000, said));
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      throw Error(ExitCode::kEnvironment,
                  fmt::format("{}: cannot be read or written: {}", path, said));
    default:
      throw Error(ExitCode::kUsage, fmt::format("{}: this history does not have what it should: "
                                                "SQLite says '{}'",
                                                path, said));
  }
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Statement::Statement(sqlite3* handle, std::string path, std::string_view sql)
    : handle_(handle), path_(std::move(path)) {
  sqlite3_stmt* raw = nullptr;
  const int code =
      sqlite3_prepare_v2(handle, sql.data(), static_cast<int>(sql.size()), &raw, nullptr);
  statement_.reset(raw);
  require(code);
}

void Statement::require(int code) const {
  if (code != SQLITE_OK) fail(path_, code, sqlite3_errmsg(handle_));
}

Statement& Statement::bind(int parameter, std::int64_t value) {
  require(sqlite3_bind_int64(statement_.get(), parameter, value));
  return *this;
}

Statement& Statement::bind(int parameter, double value) {
  require(std::isfinite(value) ? sqlite3_bind_double(statement_.get(), parameter, value)
                               : sqlite3_bind_null(statement_.get(), parameter));
  return *this;
}

Statement& Statement::bind(int parameter, std::string_view value) {
  // The copy is SQLite's: callers pass temporaries.
  require(sqlite3_bind_text64(statement_.get(), parameter, value.data() ? value.data() : "",
                              value.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) fail(path_, code, sqlite3_errmsg(handle_));
  return false;
}

Statement& Statement::reset() {
  sqlite3_reset(statement_.get());
  return *this;
}

void Statement::run() {
  step();
  reset();
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

double Statement::real(int column) const {
  return is_null(column) ? std::nan("") : sqlite3_column_double(statement_.get(), column);
}

std::string Statement::text(int column) const {
  const unsigned char* bytes = sqlite3_column_text(statement_.get(), column);
  if (bytes == nullptr) return {};
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
  return {bytes, bytes + size};
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

void Database::Close::operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }

Database::Database(std::string path, bool create) : path_(std::move(path)) {
  std::error_code ignored;
  STEPMARK_REQUIRE(create || std::filesystem::exists(path_, ignored),
                   "{}: there is no such history: stepmark history add JOURNAL... --db {} makes it",
                   path_, path_);
  sqlite3* raw = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0);
  const int code = sqlite3_open_v2(path_.c_str(), &raw, flags, nullptr);
  handle_.reset(raw);
  if (code != SQLITE_OK) fail(path_, code, raw != nullptr ? sqlite3_errmsg(raw) : "no memory");
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_busy_timeout(raw, kBusyMs);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
}

Statement Database::prepare(std::string_view sql) const { return {handle_.get(), path_, sql}; }

void Database::run(const std::string& sql) const {
  const int code = sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(path_, code, sqlite3_errmsg(handle_.get()));
}

std::int64_t Database::pragma(const std::string& name) const {
  Statement statement = prepare("PRAGMA " + name);
  return statement.step() ? statement.integer(0) : 0;
}

std::int64_t Database::last_id() const { return sqlite3_last_insert_rowid(handle_.get()); }

std::int64_t Database::changed_rows() const { return sqlite3_changes64(handle_.get()); }

Transaction::Transaction(const Database& database) : database_(database) {
  database.run("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  if (!open_) return;
  try {
    database_.run("ROLLBACK");
  } catch (const Error& error) {  // SQLite may have rolled back by itself
    log_check_failure("ROLLBACK", error.what());
  }
}

void Transaction::commit() {
  database_.run("COMMIT");
  open_ = false;
}

}  // namespace stepmark
