// SPDX-License-Identifier: Apache-2.0
// Who this process is (rank, host) and how an Error reads: usage errors say only what the user did,
// all others add expression, rank, host and place in the source.
#include "core/error.h"

#include <unistd.h>

#include <array>
#include <string_view>
#include <utility>

#include "core/log.h"
#include "core/utf8.h"

namespace stepmark {
namespace {

// Shown escaped where it is no name for a terminal or a journal.
std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "unknown-host";
  return printable_line(name.data());
}

// Set once before threads exist, hence no lock.
Identity& mutable_identity() {
  static Identity who{.host = host_name()};
  return who;
}

std::string place(const std::source_location& where) {
  // Relative to the repository, also when the compiler cache made it relative to the build folder.
  std::string_view file = where.file_name();
  while (file.starts_with("../")) file.remove_prefix(3);
  return fmt::format("{}:{}", file, where.line());
}

std::string full_text(ExitCode code, const std::string& message, const std::string& expression,
                      const std::source_location& where) {
  if (code == ExitCode::kUsage) return message;
  const Identity& who = identity();
  const std::string rank = who.rank < 0 ? "rank unknown" : fmt::format("rank {}", who.rank);
  const std::string what = expression.empty() ? "" : fmt::format(" [{}]", expression);
  return fmt::format("{}{} ({} on {}, {})", message, what, rank, who.host, place(where));
}

std::string with_place(std::string_view file, int line, int column, std::string_view message) {
  if (line <= 0) return fmt::format("{}: {}", file, message);
  return fmt::format("{}:{}:{}: {}", file, line, column, message);
}

}  // namespace

void set_identity(int rank, int world_size) {
  mutable_identity().rank = rank;
  mutable_identity().world_size = world_size;
}

const Identity& identity() { return mutable_identity(); }

Error::Error(ExitCode code, std::string message, std::string expression, std::source_location where)
    : std::runtime_error(full_text(code, message, expression, where)),
      code_(code),
      message_(std::move(message)),
      expression_(std::move(expression)),
      rank_(identity().rank) {}

ConfigError::ConfigError(std::string_view file, int line, int column, std::string_view message)
    : Error(ExitCode::kUsage, with_place(file, line, column, message)) {}

void throw_check_failure(const char* expression, std::string message, ExitCode code,
                         std::source_location where) {
  throw Error(code, std::move(message), expression, where);
}

void log_check_failure(const char* expression, std::string_view message,
                       std::source_location where) noexcept {
  try {
    log_error("{} [{}] ({})", message, expression, place(where));
  } catch (...) {
    // A destructor is running: there is nobody left to tell.
  }
}

}  // namespace stepmark
