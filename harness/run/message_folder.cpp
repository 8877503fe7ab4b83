// SPDX-License-Identifier: Apache-2.0
// Lines, and blocks between ruled lines as Open MPI prints them, are keyed with host, process and
// time masked in their prefix. The first of a key is shown at once, the others are counted until
// the end.
#include "harness/run/message_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/utf8.h"

namespace stepmark {
namespace {

constexpr std::size_t kMostMessages = 2000;  // kept in mind; further ones go on unfolded
constexpr std::size_t kShortestRule = 20;
constexpr std::size_t kMostReported = 20;
constexpr std::size_t kLongestLine = 1 << 16;
constexpr std::size_t kQuoted = 100;

bool is_rule(std::string_view line) {
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  return line.size() >= kShortestRule &&
         (line.find_first_not_of('-') == line.npos || line.find_first_not_of('=') == line.npos);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Where what a library puts in front ends: "[host:4711] ", "[1700.25] [host:4711:0] ",
// "host:4711:4712 [0] ".
std::size_t prefix_length(std::string_view line) {
  std::size_t at = 0;
  if (!line.starts_with('[')) {
    const std::size_t blank = std::min(line.find(' '), line.size());
    if (line.substr(0, blank).find(':') == std::string_view::npos) return 0;
    at = std::min(blank + 1, line.size());
  }
  while (at < line.size() && line[at] == '[') {
    const std::size_t close = line.find(']', at);
    if (close == std::string_view::npos) break;
    at = close + 1;
    while (at < line.size() && line[at] == ' ') ++at;
  }
  return at;
}

}  // namespace

std::string message_key(std::string_view text) {
  std::string key;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    const std::string_view line = text.substr(0, end);
    const std::size_t prefix = prefix_length(line);
    for (std::size_t i = 0; i < line.size(); ++i) {
      const bool masked = i < prefix && is_digit(line[i]);
      if (masked && key.ends_with('#')) continue;
      key += masked ? '#' : line[i];
    }
    text.remove_prefix(end);
  }
  return key;
}

void MessageFolder::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t newline = bytes.find('\n');
    line_ += bytes.substr(0, newline == std::string_view::npos ? bytes.size() : newline + 1);
    bytes.remove_prefix(newline == std::string_view::npos ? bytes.size() : newline + 1);
    if (line_.ends_with('\n') || line_.size() > kLongestLine) take_line();
  }
}

void MessageFolder::take_line() {
  const std::string line = std::exchange(line_, {});
  const bool rule = is_rule(line);
  if (block_.empty() && !rule) return take_message(line);
  const bool closes = rule && !block_.empty();
  block_ += line;
  if (closes || block_.size() > kLongestLine) take_message(std::exchange(block_, {}));
}

void MessageFolder::take_message(const std::string& text) {
  const std::string key = message_key(text);
  const auto known = seen_.find(key);
  if (known != seen_.end()) {
    ++known->second.repeated;
    return;
  }
  write_(printable(text));
  const bool blank = text.find_first_not_of(" \n\r-=") == std::string::npos;
  if (blank || seen_.size() >= kMostMessages) return;
  std::string_view first = text;
  while (is_rule(first.substr(0, first.find('\n') + 1))) first.remove_prefix(first.find('\n') + 1);
  first = first.substr(0, first.find('\n'));
  seen_.emplace(key, Seen{printable_line(first.substr(0, kQuoted))});
}

void MessageFolder::pause() {
  if (!line_.empty()) take_line();
  if (!block_.empty()) take_message(std::exchange(block_, {}));
}

void MessageFolder::end() {
  pause();
  std::vector<Seen> repeated;
  for (const auto& [key, seen] : seen_) {
    if (seen.repeated > 0) repeated.push_back(seen);
  }
  std::stable_sort(repeated.begin(), repeated.end(),
                   [](const Seen& a, const Seen& b) { return a.repeated > b.repeated; });
  for (std::size_t i = 0; i < std::min(repeated.size(), kMostReported); ++i) {
    write_(fmt::format("(repeated {} times, shown once: {})\n", repeated[i].repeated + 1,
                       repeated[i].first_line));
  }
  if (repeated.size() > kMostReported) {
    write_(fmt::format("({} further messages were repeated)\n", repeated.size() - kMostReported));
  }
}

}  // namespace stepmark
