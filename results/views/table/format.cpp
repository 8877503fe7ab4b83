// SPDX-License-Identifier: Apache-2.0
// Digits by the size of the value, bounded at both ends: whatever a file says, a cell stays a cell.
#include "results/views/table/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/units.h"

namespace stepmark {

namespace {

// Whatever a file says, a cell stays a cell.
std::string percent(double fraction) {
  return std::abs(fraction) < 1e4 ? fmt::format("{:.1f} %", 100 * fraction)
                                  : fmt::format("{:.1e} %", 100 * fraction);
}

}  // namespace

std::string format_number(double value) {
  if (!std::isfinite(value)) {
    return kNotAvailable;
  }
  const double size = std::abs(value);
  if (size == 0) {
    return "0";
  }
  if (size >= 1e7 || size < 1e-3) {
    return fmt::format("{:.2e}", value);
  }
  const int decimals = std::clamp(2 - static_cast<int>(std::floor(std::log10(size))), 0, 5);
  return fmt::format("{:.{}f}", value, decimals);
}

std::string format_number(const std::optional<double>& value) {
  return value ? format_number(*value) : kNotAvailable;
}

std::string format_metric(const Record& record, const char* metric) {
  const auto* found = record.metric(metric);
  return found == nullptr ? kNotAvailable : format_number(found->value);
}

std::string format_percent(const std::optional<double>& fraction) {
  return fraction && std::isfinite(*fraction) ? percent(*fraction) : kNotAvailable;
}

std::string format_half_width(const Summary& summary) {
  const double half = (summary.upper - summary.lower) / 2.0 / summary.median;
  if (!std::isfinite(half)) return "±?";
  return half < 10 ? fmt::format("±{:.1f} %", 100.0 * half) : "±>999 %";
}

std::string format_spread(const Record& record) {
  return record.repetitions > 1 ? format_percent(record.spread) : kNotAvailable;
}

std::string format_samples(const Record& record, const Summary& summary) {
  return record.is_summary_only() && summary.count == 0 ? kNotAvailable
                                                        : fmt::format("{}", summary.count);
}

std::string format_time(double seconds) {
  return std::isfinite(seconds) ? format_seconds(seconds) : kNotAvailable;
}

std::string format_checks(const Record& record) {
  if (record.checks.empty()) {
    return "none";
  }
  const auto failed = std::count_if(record.checks.begin(), record.checks.end(),
                                    [](const Check& check) { return !check.passed; });
  return failed == 0 ? "ok" : fmt::format("{} of {} failed", failed, record.checks.size());
}

}  // namespace stepmark
