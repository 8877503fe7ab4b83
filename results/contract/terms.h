// SPDX-License-Identifier: Apache-2.0
// What was agreed, as plain values: TERMS.yaml (docs/contract.md has the keys). Shares are whole
// numbers of billionths and money whole millionths of the currency, so that what is owed follows
// from the text alone and never from a rounding of ours.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/yaml.h"
#include "results/contract/dates.h"

namespace stepmark {

inline constexpr std::int64_t kWhole = 1'000'000'000;  // a share of 100 %

enum class FloorDirection : std::uint8_t { at_least, at_most };
[[nodiscard]] std::string_view name_of(FloorDirection direction);

// What a quantile of the medians of runs must keep, for each of its sizes on each of its node
// counts by itself. It says nothing of any other size or count.
struct Floor {
  std::string name;
  std::string case_id;              // exact; empty: family and pattern
  std::string family, pattern;      // '*' and '?' in the id behind "family/"
  std::vector<std::int64_t> sizes;  // bytes; empty where the case has none, or names its own
  std::vector<std::int64_t> nodes;
  std::string metric;
  FloorDirection direction = FloorDirection::at_least;
  double value = 0;
  std::string unit;          // that of the metric
  double quantile = 0.5;     // of run medians
  double confidence = 0.95;  // of the verdict
  std::int64_t credit = 0;   // share of the order's fee in a month in which it is not met
  YamlPlace place;
};

struct Outage {
  TimeSpan span;
  std::vector<std::string> nodes;  // empty: the whole order
  std::string cause;
};

enum class CreditUnit : std::uint8_t { node, order };
enum class Maintenance : std::uint8_t {
  counts,            // as any other outage
  no_downtime,       // outages in its windows do not count, the period stays whole
  out_of_the_period  // its windows are taken out of the period too
};

struct Availability {
  std::int64_t objective = 0;  // share
  CreditUnit unit = CreditUnit::node;
  Maintenance maintenance = Maintenance::counts;
  std::vector<TimeSpan> windows;  // of maintenance, united
  std::vector<Outage> outages;
};

// The share of the fee that is owed where the uptime is at least `at_least` and below the objective
// and every higher tier.
struct CreditTier {
  std::int64_t at_least = 0, share = 0;
};

enum class RoundingMode : std::uint8_t { half_up, half_even, down, up };

struct Credits {
  std::vector<CreditTier> tiers;   // highest first; the last begins at 0
  std::int64_t cap = kWhole;       // share of the order's fee in a month
  std::int64_t round_to = 10'000;  // millionths
  RoundingMode rounding = RoundingMode::half_up;
};

struct Fee {
  std::int64_t monthly = 0;  // millionths of the currency
  std::string currency;      // "USD"
  CreditUnit per = CreditUnit::order;
};

struct StackFact {
  std::string section, name, value;
};

struct Terms {
  std::string file, name, provider, customer;
  TimeSpan valid;
  std::int64_t nodes = 0, gpus_per_node = 0;
  std::optional<Fee> fee;
  std::vector<StackFact> stack;  // facts of the environment that a run must have
  std::vector<Floor> floors;
  std::optional<Availability> availability;
  std::optional<Credits> credits;
  // nullptr: none of that name.
  [[nodiscard]] const Floor* find(std::string_view floor) const;
};

// ConfigError "file:line:column: what was found, what was expected".
[[nodiscard]] Terms read_terms(const std::string& path);
[[nodiscard]] Terms read_terms_text(std::string_view text, std::string_view name);

}  // namespace stepmark
