// SPDX-License-Identifier: Apache-2.0
// One error type for the whole code base. Errors are thrown; only `main` decides what the process
// does with them. Every error knows who it belongs to (rank, host), where it was raised, and which
// exit code of the command line it stands for.
#pragma once

#include <fmt/format.h>

#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>

namespace stepmark {

// Exit codes of the command line (documented in README.md and docs/file-formats.md).
enum class ExitCode : int {
  kOk = 0,           // everything asked was measured and passed
  kCheckFailed = 1,  // wrong data, regression, floor not met
  kUsage = 2,        // usage or configuration error
  kNotMeasured = 3,  // some cases were not measured
  kEnvironment = 4,  // environment unusable
};

// Who this process is; set once at start-up, before threads exist. Rank -1 = not yet known.
struct Identity {
  int rank = -1;
  int world_size = 1;
  std::string host;
};
void set_identity(int rank, int world_size);
[[nodiscard]] const Identity& identity();

class Error : public std::runtime_error {
 public:
  // `expression` is the failed expression or call, or empty where there is none.
  Error(ExitCode code, std::string message, std::string expression = {},
        std::source_location where = std::source_location::current());

  [[nodiscard]] ExitCode code() const { return code_; }
  // The message alone, without place and identity.
  [[nodiscard]] const std::string& message() const { return message_; }
  [[nodiscard]] const std::string& expression() const { return expression_; }
  [[nodiscard]] int rank() const { return rank_; }
  // what(): "message [expression] (rank R on HOST, file:line)"; for kUsage errors the message only,
  // since the reader's own input is at fault and not a place in our source.

 private:
  ExitCode code_;
  std::string message_;
  std::string expression_;
  int rank_;
};

// A mistake in a configuration file or text: "file:line:column: message"; line 0 stands for the
// whole file ("file: message"). Line and column count from 1.
class ConfigError : public Error {
 public:
  ConfigError(std::string_view file, int line, int column, std::string_view message);
};

// Throws Error(code) carrying the expression text.
[[noreturn]] void throw_check_failure(const char* expression, std::string message, ExitCode code,
                                      std::source_location where);

// The non-throwing twin for destructors: logs and goes on.
void log_check_failure(const char* expression, std::string_view message,
                       std::source_location where = std::source_location::current()) noexcept;

}  // namespace stepmark

// Invariant of our own code or of a system call: fails as ExitCode::kEnvironment.
#define STEPMARK_CHECK(condition, ...)                                        \
  do {                                                                        \
    if (!(condition)) {                                                       \
      ::stepmark::throw_check_failure(#condition, ::fmt::format(__VA_ARGS__), \
                                      ::stepmark::ExitCode::kEnvironment,     \
                                      ::std::source_location::current());     \
    }                                                                         \
  } while (false)

// Mistake of the user: fails as ExitCode::kUsage.
#define STEPMARK_REQUIRE(condition, ...)                                                 \
  do {                                                                                   \
    if (!(condition)) {                                                                  \
      throw ::stepmark::Error(::stepmark::ExitCode::kUsage, ::fmt::format(__VA_ARGS__)); \
    }                                                                                    \
  } while (false)
