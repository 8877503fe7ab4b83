// SPDX-License-Identifier: Apache-2.0
// std::chrono has the calendar; its parser is not in the library that this is built with.
#include "results/money/calendar.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace stepmark {

std::optional<std::chrono::sys_days> parse_day(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  std::array<int, 3> parts{};
  const std::array<std::string_view, 3> words{text.substr(0, 4), text.substr(5, 2),
                                              text.substr(8, 2)};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (words[i].find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
    std::from_chars(words[i].data(), words[i].data() + words[i].size(), parts[i]);
  }
  const std::chrono::year_month_day day{std::chrono::year(parts[0]),
                                        std::chrono::month(static_cast<unsigned>(parts[1])),
                                        std::chrono::day(static_cast<unsigned>(parts[2]))};
  return day.ok() ? std::optional(std::chrono::sys_days(day)) : std::nullopt;
}

std::string to_text(std::chrono::sys_days day) {
  const std::chrono::year_month_day parts(day);
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(parts.year()),
                     static_cast<unsigned>(parts.month()), static_cast<unsigned>(parts.day()));
}

std::chrono::sys_days utc_today() {
  return std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
}

}  // namespace stepmark
