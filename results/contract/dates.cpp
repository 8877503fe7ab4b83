// SPDX-License-Identifier: Apache-2.0
// On the calendar of <chrono>; texts are read digit by digit, since a form that is nearly right
// (24:00, 2026-2-1, no zone) is refused and not guessed.
#include "results/contract/dates.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace stepmark {
namespace {

namespace chrono = std::chrono;

// Two or four digits at `at`; -1 where something else stands there.
int digits(std::string_view text, std::size_t at, std::size_t count) {
  int value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (i >= text.size() || text[i] < '0' || text[i] > '9') return -1;
    value = 10 * value + (text[i] - '0');
  }
  return value;
}

chrono::year_month_day date_of(std::int64_t moment) {
  return chrono::floor<chrono::days>(chrono::sys_seconds(chrono::seconds(moment)));
}

std::int64_t seconds_since_1970(chrono::sys_days day) {
  return chrono::duration_cast<chrono::seconds>(day.time_since_epoch()).count();
}

}  // namespace

std::optional<std::int64_t> parse_utc_day(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const int year = digits(text, 0, 4);
  const int month = digits(text, 5, 2);
  const int day = digits(text, 8, 2);
  if (year < 2000 || year > 2199 || month < 1 || day < 1) return std::nullopt;
  const chrono::year_month_day date{chrono::year(year), chrono::month(static_cast<unsigned>(month)),
                                    chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  return seconds_since_1970(chrono::sys_days(date));
}

std::optional<std::int64_t> parse_moment(std::string_view text) {
  const bool with_seconds = text.size() == 20;
  if (!with_seconds && text.size() != 17) return std::nullopt;
  const auto day = parse_utc_day(text.substr(0, 10));
  const int hour = digits(text, 11, 2);
  const int minute = digits(text, 14, 2);
  const int second = with_seconds ? digits(text, 17, 2) : 0;
  const bool marks = text[10] == 'T' && text[13] == ':' && text.back() == 'Z' &&
                     (!with_seconds || text[16] == ':');
  if (!day || !marks || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
      second > 59) {
    return std::nullopt;
  }
  return *day + std::int64_t{hour} * 3600 + std::int64_t{minute} * 60 + second;
}

std::string day_text(std::int64_t moment) {
  const auto date = date_of(moment);
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

std::string moment_text(std::int64_t moment) {
  const std::int64_t in_day = ((moment % kDayS) + kDayS) % kDayS;
  return fmt::format("{}T{:02}:{:02}:{:02}Z", day_text(moment), in_day / 3600, in_day / 60 % 60,
                     in_day % 60);
}

TimeSpan month_of(std::int64_t moment) {
  const auto date = date_of(moment);
  const chrono::year_month month(date.year(), date.month());
  const auto first = [](chrono::year_month m) {
    return seconds_since_1970(chrono::sys_days(m / chrono::day(1)));
  };
  return {.from = first(month), .to = first(month + chrono::months(1))};
}

TimeSpan common_part(const TimeSpan& a, const TimeSpan& b) {
  const TimeSpan out{.from = std::max(a.from, b.from), .to = std::min(a.to, b.to)};
  return out.to > out.from ? out : TimeSpan{.from = out.from, .to = out.from};
}

std::vector<TimeSpan> united(std::vector<TimeSpan> spans) {
  std::erase_if(spans, [](const TimeSpan& span) { return span.seconds() == 0; });
  std::sort(spans.begin(), spans.end(),
            [](const TimeSpan& a, const TimeSpan& b) { return a.from < b.from; });
  std::vector<TimeSpan> out;
  for (const TimeSpan& span : spans) {
    if (!out.empty() && span.from <= out.back().to) {
      out.back().to = std::max(out.back().to, span.to);
    } else {
      out.push_back(span);
    }
  }
  return out;
}

std::vector<TimeSpan> without(const std::vector<TimeSpan>& spans,
                              const std::vector<TimeSpan>& holes) {
  std::vector<TimeSpan> out;
  for (TimeSpan rest : spans) {
    for (const TimeSpan& hole : holes) {
      if (hole.to <= rest.from || hole.from >= rest.to) continue;
      if (hole.from > rest.from) out.push_back({.from = rest.from, .to = hole.from});
      rest.from = std::min(hole.to, rest.to);
    }
    if (rest.seconds() > 0) out.push_back(rest);
  }
  return out;
}

std::int64_t seconds_of(const std::vector<TimeSpan>& spans) {
  std::int64_t out = 0;
  for (const TimeSpan& span : spans) out += span.seconds();
  return out;
}

}  // namespace stepmark
