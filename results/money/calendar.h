// SPDX-License-Identifier: Apache-2.0
// Days of the calendar as files write them: prices go stale by the day.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace stepmark {

// "2026-09-19"; nothing for what is no day of the calendar.
[[nodiscard]] std::optional<std::chrono::sys_days> parse_day(std::string_view text);
[[nodiscard]] std::string to_text(std::chrono::sys_days day);
[[nodiscard]] std::chrono::sys_days utc_today();

}  // namespace stepmark
