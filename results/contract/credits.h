// SPDX-License-Identifier: Apache-2.0
// What is owed for outages and for floors that were not kept, month by month. All amounts are whole
// millionths of the currency; each credit is rounded as the terms say, sums are not rounded again.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "results/contract/check.h"
#include "results/contract/terms.h"

namespace stepmark {

// Months, "2026-12" to "2027-02", the last one included.
struct MonthRange {
  std::int64_t first = 0, last = 0;  // moments within them
};
// Error(kUsage) for what are no months, a last one before the first, more than 240 of them.
[[nodiscard]] MonthRange parse_months(std::string_view first, std::string_view last);

// A node that was down, or the order.
struct UnitCredit {
  std::string unit;           // the node's name; "order"
  std::int64_t period_s = 0;  // of which the uptime is a share
  std::int64_t down_s = 0;    // what maintenance excuses left out
  std::int64_t share = 0;     // of the unit's fee: that of the tier; 0: the objective was kept
  std::int64_t credit = 0;
};

struct FloorCredit {
  FloorResult result;  // from the month's runs
  std::size_t runs = 0;
  // Nothing where the runs do not decide it, or there are none: that is no 0.
  std::optional<std::int64_t> credit;
};

struct MonthCredits {
  TimeSpan span;         // the month, or what of it the terms hold for
  bool whole = true;     // span is the whole month
  bool over = true;      // it has ended
  std::int64_t fee = 0;  // of the order in the span, rounded
  std::vector<UnitCredit> units;
  std::vector<FloorCredit> floors;  // those with a credit
  std::int64_t sum = 0;             // of all credits that are decided
  std::int64_t cap = 0;
  std::int64_t owed = 0;  // the sum, or the cap
};

struct CreditsOwed {
  const Terms* terms = nullptr;
  std::vector<MonthCredits> months;
  std::vector<std::string> remarks;
  [[nodiscard]] std::int64_t owed() const;
  // Credits of floors, over all months, that the runs do not decide, or have no runs.
  [[nodiscard]] int not_decided() const;
};

// `now`: seconds since 1970, by which a month is over or not. `terms` and `results` must outlive
// what is returned. Error(kUsage) where the terms have no credits, or hold in none of the months.
[[nodiscard]] CreditsOwed credits_owed(const Terms& terms, std::span<const RunResult> results,
                                       const MonthRange& months, std::int64_t now);

}  // namespace stepmark
