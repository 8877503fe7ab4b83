// SPDX-License-Identifier: Apache-2.0
// Days, moments and calendar months of terms: UTC, as whole seconds since 1970, so that sums of
// time are exact.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stepmark {

inline constexpr std::int64_t kDayS = 86400;

// [from, to) in seconds.
struct TimeSpan {
  std::int64_t from = 0, to = 0;
  [[nodiscard]] std::int64_t seconds() const { return to > from ? to - from : 0; }
  [[nodiscard]] bool holds(double moment) const {
    return moment >= static_cast<double>(from) && moment < static_cast<double>(to);
  }
  bool operator==(const TimeSpan&) const = default;
};

// "2026-12-01": where that day begins. Nothing for what is no day of the years 2000 to 2199.
[[nodiscard]] std::optional<std::int64_t> parse_utc_day(std::string_view text);
// "2026-12-05T02:00:00Z" or "2026-12-05T02:00Z". Nothing without the Z: an hour without its zone
// may be any.
[[nodiscard]] std::optional<std::int64_t> parse_moment(std::string_view text);

[[nodiscard]] std::string day_text(std::int64_t moment);     // "2026-12-01"
[[nodiscard]] std::string moment_text(std::int64_t moment);  // "2026-12-05T02:00:00Z"

// The calendar month that holds the moment.
[[nodiscard]] TimeSpan month_of(std::int64_t moment);
// What both have; empty where they do not meet.
[[nodiscard]] TimeSpan common_part(const TimeSpan& a, const TimeSpan& b);
// Sorted, spans that meet made one, empty ones dropped.
[[nodiscard]] std::vector<TimeSpan> united(std::vector<TimeSpan> spans);
// `spans` (united) without `holes` (united).
[[nodiscard]] std::vector<TimeSpan> without(const std::vector<TimeSpan>& spans,
                                            const std::vector<TimeSpan>& holes);
[[nodiscard]] std::int64_t seconds_of(const std::vector<TimeSpan>& spans);

}  // namespace stepmark
