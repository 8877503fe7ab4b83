// SPDX-License-Identifier: Apache-2.0
// SQLite as values that free themselves and errors that name the file and what to do. Every handle
// is of one thread. Internal to results/history.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace stepmark {

// A prepared statement; parameters and columns count from 1 and from 0, as SQLite has them.
class Statement {
 public:
  Statement(sqlite3* handle, std::string path, std::string_view sql);

  Statement& bind(int parameter, std::int64_t value);
  Statement& bind(int parameter, int value) { return bind(parameter, std::int64_t{value}); }
  Statement& bind(int parameter, bool value) { return bind(parameter, std::int64_t{value}); }
  Statement& bind(int parameter, double value);  // NaN and infinities as NULL
  Statement& bind(int parameter, std::string_view value);

  // The next row; false behind the last one. Parameters stay bound.
  bool step();
  // From the first row again.
  Statement& reset();
  // For statements without rows: step() and reset().
  void run();

  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] double real(int column) const;  // NaN for NULL
  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] bool boolean(int column) const { return integer(column) != 0; }
  [[nodiscard]] bool is_null(int column) const;

 private:
  void require(int code) const;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  sqlite3* handle_;
  std::string path_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class Database {
 public:
  // Opens what is there, or makes it with `create`. Error(kUsage) for a file that is no database or
  // is damaged, Error(kEnvironment) for what the system refuses or another process keeps.
  Database(std::string path, bool create);

  [[nodiscard]] Statement prepare(std::string_view sql) const;
  void run(const std::string& sql) const;  // statements without parameters or rows
  [[nodiscard]] std::int64_t pragma(const std::string& name) const;
  [[nodiscard]] std::int64_t last_id() const;
  [[nodiscard]] std::int64_t changed_rows() const;  // by the last statement
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  std::string path_;
  std::unique_ptr<sqlite3, Close> handle_;
};

// The lock of the only writer until commit(); without that nothing has happened.
class Transaction {
 public:
  explicit Transaction(const Database& database);
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();
  void commit();

 private:
  const Database& database_;
  bool open_ = true;
};

}  // namespace stepmark
