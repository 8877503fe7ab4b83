// SPDX-License-Identifier: Apache-2.0
// Shares, money and times as texts of a terms file. Decimals are read as digits and never through
// a double: 99.99 % shall be a tier's bound exactly.
#include <fmt/format.h>

#include <array>
#include <optional>
#include <string>

#include "core/error.h"
#include "results/contract/terms_parts.h"

namespace stepmark {
namespace {

// "99.5" with at most `decimals` digits behind the point, as a whole number of 10^-decimals;
// nothing for anything else, and for more than 12 digits in front of it.
std::optional<std::int64_t> parse_decimal(std::string_view text, std::size_t decimals) {
  const std::size_t point = std::min(text.find('.'), text.size());
  const std::string_view whole = text.substr(0, point);
  std::string_view behind = point < text.size() ? text.substr(point + 1) : std::string_view();
  if (whole.empty() || whole.size() > 12 || (point < text.size() && behind.empty())) {
    return std::nullopt;
  }
  while (behind.size() > decimals && behind.back() == '0') behind.remove_suffix(1);
  if (behind.size() > decimals) return std::nullopt;
  std::int64_t value = 0;
  const auto take = [&](std::string_view digits) {
    for (const char c : digits) {
      if (c < '0' || c > '9') return false;
      value = 10 * value + (c - '0');
    }
    return true;
  };
  if (!take(whole) || !take(behind)) return std::nullopt;
  for (std::size_t i = behind.size(); i < decimals; ++i) value *= 10;
  return value;
}

std::int64_t share_of(const YamlMap& map, std::string_view key, std::string_view text) {
  std::optional<std::int64_t> share;
  if (text.ends_with('%')) {
    text.remove_suffix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    share = parse_decimal(text, 7);  // of a percent: billionths of the whole
  }
  if (!share || *share > kWhole) {
    map.fail(key, fmt::format("{}: expected a share from 0% to 100% with its sign and at most 7 "
                              "decimals, such as 99.5%",
                              key));
  }
  return *share;
}

std::int64_t required_time(YamlMap& map, std::string_view key, bool day) {
  const std::string text = map.required_string(key);
  const auto value = day ? parse_utc_day(text) : parse_moment(text);
  if (!value) {
    map.fail(key, fmt::format("{}: found '{}', expected {}", key, text,
                              day ? "a day such as 2026-12-01 (UTC)"
                                  : "a moment in UTC such as 2026-12-05T02:00:00Z"));
  }
  return *value;
}

}  // namespace

std::int64_t required_share(YamlMap& map, std::string_view key) {
  const std::string text = map.required_string(key);
  return share_of(map, key, text);
}

std::int64_t optional_share(YamlMap& map, std::string_view key, std::int64_t fallback) {
  return map.has(key) ? required_share(map, key) : fallback;
}

std::int64_t required_money(YamlMap& map, std::string_view key) {
  const std::string text = map.required_string(key);
  const auto value = parse_decimal(text, 6);
  constexpr std::int64_t kMost = 1'000'000'000'000'000;  // 10^9 of the currency
  if (!value || *value <= 0 || *value > kMost) {
    map.fail(key,
             fmt::format("{}: found '{}', expected an amount of money above 0 and at most 10^9 "
                         "such as 1250000.00, without separators and currency",
                         key, text));
  }
  return *value;
}

TimeSpan read_days(YamlMap& map) {
  const TimeSpan span{.from = required_time(map, "from", true),
                      .to = required_time(map, "until", true) + kDayS};
  if (span.seconds() == 0) {
    map.fail("until", fmt::format("until: {} lies before 'from', {}; give the last day, included",
                                  day_text(span.to - kDayS), day_text(span.from)));
  }
  map.finish();
  return span;
}

TimeSpan read_moments(YamlMap& map) {
  const TimeSpan span{.from = required_time(map, "from", false),
                      .to = required_time(map, "to", false)};
  if (span.seconds() == 0) {
    map.fail("to", fmt::format("to: {} is not after 'from', {}", moment_text(span.to),
                               moment_text(span.from)));
  }
  return span;
}

CreditUnit read_unit(YamlMap& map, std::string_view key) {
  constexpr std::array<std::string_view, 2> kUnits{"node", "order"};
  return map.required_choice(key, kUnits) == "node" ? CreditUnit::node : CreditUnit::order;
}

}  // namespace stepmark
