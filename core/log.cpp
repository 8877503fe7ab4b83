// SPDX-License-Identifier: Apache-2.0
// One write() per line, since stdio of several ranks on one terminal would mix. Ranks above 0 show
// warnings only, unless a level was chosen.
#include "core/log.h"

#include <unistd.h>

#include <atomic>
#include <string>

#include "core/error.h"
#include "core/log_descriptor.h"
#include "core/utf8.h"

namespace stepmark {
namespace {

constexpr int kByRank = -1;  // level not set: depends on the rank

std::atomic<int>& chosen_level() {
  static std::atomic<int> level{kByRank};
  return level;
}

std::atomic<int>& descriptor() {
  static std::atomic<int> value{STDERR_FILENO};
  return value;
}

LogLevel current_level() {
  const int level = chosen_level().load(std::memory_order_relaxed);
  if (level != kByRank) return static_cast<LogLevel>(level);
  return identity().rank > 0 ? LogLevel::warning : LogLevel::info;
}

std::string_view prefix_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug: ";
    case LogLevel::info:
      return "";
    case LogLevel::warning:
      return "warning: ";
    case LogLevel::error:
      return "error: ";
  }
  return "";
}

}  // namespace

int log_descriptor() { return descriptor().load(std::memory_order_relaxed); }

void set_log_descriptor(int value) { descriptor().store(value, std::memory_order_relaxed); }

void set_log_level(LogLevel level) {
  chosen_level().store(static_cast<int>(level), std::memory_order_relaxed);
}

void log_message(LogLevel level, std::string_view message) {
  if (level < current_level()) return;
  std::string line;
  if (identity().rank >= 0) line = fmt::format("[rank {}] ", identity().rank);
  line.append(prefix_of(level)).append(printable(message)).append("\n");
  // A lost log line is no reason to fail; the result of write only silences the compiler.
  const auto written = ::write(log_descriptor(), line.data(), line.size());
  static_cast<void>(written);
}

}  // namespace stepmark
