// SPDX-License-Identifier: Apache-2.0
// Log lines go to stderr, one write() per line so that ranks do not interleave within a line, with
// the rank in front once it is known: "[rank 2] warning: ...". stdout is for results only.
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace stepmark {

enum class LogLevel { debug, info, warning, error };

void set_log_level(LogLevel level);  // default: info on rank 0 (or unknown rank), warning elsewhere
void log_message(LogLevel level, std::string_view message);

template <class... Args>
void log_info(fmt::format_string<Args...> f, Args&&... args) {
  log_message(LogLevel::info, fmt::format(f, std::forward<Args>(args)...));
}
template <class... Args>
void log_warning(fmt::format_string<Args...> f, Args&&... args) {
  log_message(LogLevel::warning, fmt::format(f, std::forward<Args>(args)...));
}
template <class... Args>
void log_error(fmt::format_string<Args...> f, Args&&... args) {
  log_message(LogLevel::error, fmt::format(f, std::forward<Args>(args)...));
}

}  // namespace stepmark
