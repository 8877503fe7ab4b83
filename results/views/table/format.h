// SPDX-License-Identifier: Apache-2.0
// How figures are written in tables: three or four significant digits, N/A for what is undefined.
// Internal to results.
#pragma once

#include <optional>
#include <string>

#include "results/record/record.h"

namespace stepmark {

inline constexpr const char* kNotAvailable = "N/A";

// "12.3", "0.0412", "1.20e+09"; N/A for NaN.
[[nodiscard]] std::string format_number(double value);
[[nodiscard]] std::string format_number(const std::optional<double>& value);
[[nodiscard]] std::string format_metric(const Record& record, const char* metric);
[[nodiscard]] std::string format_percent(const std::optional<double>& fraction);
// Half-width of the summary's interval relative to its median: "±1.2 %"; "±?" without interval.
[[nodiscard]] std::string format_half_width(const Summary& summary);
// How much the repetitions' medians differ: "0.8 %"; N/A of one repetition.
[[nodiscard]] std::string format_spread(const Record& record);
// How many samples the summary stands for; N/A where an imported one does not say.
[[nodiscard]] std::string format_samples(const Record& record, const Summary& summary);
[[nodiscard]] std::string format_time(double seconds);  // format_seconds, N/A for NaN

// "0 wrong" style verdict of the record's checks: "ok" or "2 of 3 failed"; "none" without checks.
[[nodiscard]] std::string format_checks(const Record& record);

}  // namespace stepmark
