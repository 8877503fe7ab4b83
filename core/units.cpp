// SPDX-License-Identifier: Apache-2.0
// Suffix tables for reading, three significant digits for printing. "1GB" and "0.5" for a fraction
// are refused with both readings, because each would be silently wrong for half of all users.
#include "core/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include "core/error.h"

namespace stepmark {
namespace {

struct Suffix {
  std::string_view text;
  double factor;
};

// A non-negative finite number followed by one of the suffixes (case-insensitive).
double parse_with_suffix(std::string_view text, std::span<const Suffix> suffixes,
                         std::string_view what, std::string_view examples) {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, status] = std::from_chars(text.data(), end, number);
  if (status == std::errc{} && std::isfinite(number) && number >= 0) {
    std::string unit(rest, end);
    std::transform(unit.begin(), unit.end(), unit.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    for (const Suffix& suffix : suffixes) {
      const double value = number * suffix.factor;
      if (unit == suffix.text && std::isfinite(value)) return value;  // "1e308d" has no number
    }
  }
  throw Error(ExitCode::kUsage,
              fmt::format("'{}' is not {}; expected for example {}", text, what, examples));
}

// "1GB": decimal by the letter, binary by the habit of most tools.
void refuse_decimal_bytes(std::string_view text) {
  constexpr std::string_view kPrefixes = "kmgt";
  if (text.size() < 3 || (text.back() != 'B' && text.back() != 'b')) return;
  const char prefix = text[text.size() - 2];
  const std::size_t power = kPrefixes.find(static_cast<char>(prefix | 0x20));
  if (power == std::string_view::npos) return;
  const std::string_view number = text.substr(0, text.size() - 2);
  double value = 0;
  const auto [rest, status] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (status != std::errc{} || rest != number.data() + number.size()) return;
  const char upper = static_cast<char>(prefix & ~0x20);
  throw Error(
      ExitCode::kUsage,
      fmt::format("'{}' could be {:.0f} or {:.0f} bytes: write {}{}iB for the larger, or the bytes",
                  text, value * std::pow(1000.0, static_cast<double>(power + 1)),
                  value * std::pow(1024.0, static_cast<double>(power + 1)), number, upper));
}

// From here on a plain number may well have been meant in percent: nobody asks for 0.05 %.
constexpr double kAmbiguousFraction = 0.1;

constexpr double kNoUnit = 1e7;  // beyond, the largest unit is too small for a readable number

// Three significant digits without an exponent, for 0 <= value < 1000 or so.
std::string three_digits(double value) {
  if (value >= kNoUnit) return fmt::format("{:.2e}", value);
  const int decimals = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f}", value, decimals);
}

struct Scale {
  double factor;
  std::string_view prefix;
};
constexpr std::array<Scale, 7> kDecimal{
    {{1e18, "E"}, {1e15, "P"}, {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""}}};

// The largest scale at which the value, rounded to three digits, is at least 1.
Scale decimal_scale(double magnitude) {
  for (const Scale& scale : kDecimal) {
    if (magnitude >= 0.9995 * scale.factor) return scale;
  }
  return {1, ""};
}

std::string sign_of(double value) { return value < 0 ? "-" : ""; }

}  // namespace

std::int64_t parse_bytes(std::string_view text) {
  constexpr std::array<Suffix, 10> kSuffixes{{{"", 1},
                                              {"b", 1},
                                              {"k", 0x1p10},
                                              {"kib", 0x1p10},
                                              {"m", 0x1p20},
                                              {"mib", 0x1p20},
                                              {"g", 0x1p30},
                                              {"gib", 0x1p30},
                                              {"t", 0x1p40},
                                              {"tib", 0x1p40}}};
  refuse_decimal_bytes(text);
  const double bytes = parse_with_suffix(text, kSuffixes, "a size in bytes",
                                         "8, 4K, 32M, 1.5G (binary: 32M is 32MiB)");
  STEPMARK_REQUIRE(bytes < 0x1p63, "'{}' is larger than any memory", text);
  STEPMARK_REQUIRE(bytes == std::floor(bytes), "'{}' is not a whole number of bytes", text);
  return static_cast<std::int64_t>(bytes);
}

double parse_seconds(std::string_view text) {
  constexpr std::array<Suffix, 8> kSuffixes{{{"", 1},
                                             {"s", 1},
                                             {"ms", 1e-3},
                                             {"us", 1e-6},
                                             {"m", 60},
                                             {"min", 60},
                                             {"h", 3600},
                                             {"d", 86400}}};
  return parse_with_suffix(text, kSuffixes, "a duration", "90s, 10m, 1.5h, 250ms");
}

double parse_fraction(std::string_view text) {
  constexpr std::array<Suffix, 2> kSuffixes{{{"", 1}, {"%", 0.01}}};
  const double fraction = parse_with_suffix(text, kSuffixes, "a fraction", "1% or 0.01");
  const bool percent = text.ends_with('%');
  STEPMARK_REQUIRE(percent || fraction < kAmbiguousFraction,
                   "'{}' could be {:g} % or {:g} %: write {}", text, fraction, 100 * fraction,
                   fraction <= 1 ? fmt::format("{:g}% or {:g}%", fraction, 100 * fraction)
                                 : fmt::format("{:g}% or {:g}", fraction, fraction / 100));
  STEPMARK_REQUIRE(fraction <= 1, "'{}' is more than the whole; expected at most 100%", text);
  return fraction;
}

std::string format_bytes(double bytes) {
  if (!std::isfinite(bytes)) return "N/A";
  constexpr std::array<std::string_view, 6> kNames{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = std::fabs(bytes);
  std::size_t unit = 0;
  while (value >= 1023.5 && unit + 1 < kNames.size()) {
    value /= 1024;
    ++unit;
  }
  std::string digits = value == std::floor(value) && value < kNoUnit ? fmt::format("{:.0f}", value)
                                                                     : three_digits(value);
  return fmt::format("{}{} {}", sign_of(bytes), digits, kNames.at(unit));
}

std::pair<std::string, std::string> format_bytes_alike(double a, double b) {
  constexpr int kMostDecimals = 6;
  constexpr std::array<std::string_view, 4> kNames{"B", "KiB", "MiB", "GiB"};
  std::size_t unit = 0;
  double scale = 1;
  while (std::max(std::fabs(a), std::fabs(b)) >= 1024 * scale && unit + 1 < kNames.size()) {
    scale *= 1024;
    ++unit;
  }
  for (int decimals = unit == 0 ? 0 : 1;; ++decimals) {
    std::string first = fmt::format("{:.{}f} {}", a / scale, decimals, kNames.at(unit));
    std::string second = fmt::format("{:.{}f} {}", b / scale, decimals, kNames.at(unit));
    if (first != second || a == b || decimals == kMostDecimals) {
      return {std::move(first), std::move(second)};
    }
  }
}

std::string exact_bytes(std::int64_t bytes) {
  for (const auto& [unit, name] : {std::pair{kGiB, "GiB"}, {kMiB, "MiB"}, {kKiB, "KiB"}}) {
    if (bytes >= unit && bytes % unit == 0) return fmt::format("{}{}", bytes / unit, name);
  }
  return fmt::format("{}B", bytes);
}

std::string format_seconds(double seconds) {
  if (!std::isfinite(seconds)) return "N/A";
  constexpr std::array<Scale, 4> kScales{{{1, "s"}, {1e-3, "ms"}, {1e-6, "us"}, {1e-9, "ns"}}};
  const double magnitude = std::fabs(seconds);
  if (magnitude == 0) return "0 s";
  Scale chosen = kScales.back();
  for (const Scale& scale : kScales) {
    if (magnitude >= 0.9995 * scale.factor) {
      chosen = scale;
      break;
    }
  }
  return fmt::format("{}{} {}", sign_of(seconds), three_digits(magnitude / chosen.factor),
                     chosen.prefix);
}

std::string format_rate(double per_second, std::string_view unit) {
  if (!std::isfinite(per_second)) return "N/A";
  const Scale scale = decimal_scale(std::fabs(per_second));
  return fmt::format("{}{} {}{}", sign_of(per_second),
                     three_digits(std::fabs(per_second) / scale.factor), scale.prefix, unit);
}

std::string format_count(double value) {
  if (!std::isfinite(value)) return "N/A";
  const double magnitude = std::fabs(value);
  if (magnitude < 1000 && magnitude == std::floor(magnitude)) return fmt::format("{:.0f}", value);
  const Scale scale = decimal_scale(magnitude);
  const std::string gap = scale.prefix.empty() ? "" : " ";
  return fmt::format("{}{}{}{}", sign_of(value), three_digits(magnitude / scale.factor), gap,
                     scale.prefix);
}

}  // namespace stepmark
