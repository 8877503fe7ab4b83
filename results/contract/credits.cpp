// SPDX-License-Identifier: Apache-2.0
// Uptime against tiers and shares of fees, in whole numbers of 128 bits: the largest product, fee
// times seconds times share times nodes, is below 10^37.
#include "results/contract/credits.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/error.h"
#include "results/contract/floor_match.h"

namespace stepmark {
namespace {

__extension__ using Wide = __int128;

constexpr int kMostMonths = 240;

// top / bottom, both positive, to a multiple of `step`.
std::int64_t rounded(Wide top, Wide bottom, std::int64_t step, RoundingMode mode) {
  const Wide unit = bottom * step;
  const Wide whole = top / unit;
  const Wide rest = top % unit;
  bool up = false;
  switch (mode) {
    case RoundingMode::half_up:
      up = 2 * rest >= unit;
      break;
    case RoundingMode::half_even:
      up = 2 * rest > unit || (2 * rest == unit && whole % 2 == 1);
      break;
    case RoundingMode::up:
      up = rest > 0;
      break;
    case RoundingMode::down:
      break;
  }
  return static_cast<std::int64_t>((whole + (up ? 1 : 0)) * step);
}

// Share of the fee of the order, or of one of its nodes, in a part of a month.
class Fees {
 public:
  Fees(const Terms& terms, const TimeSpan& span, const TimeSpan& month)
      : terms_(terms), seconds_(span.seconds()), month_(month.seconds()) {}

  [[nodiscard]] std::int64_t share_of(CreditUnit unit, std::int64_t share,
                                      RoundingMode mode) const {
    Wide top = Wide{terms_.fee->monthly} * seconds_ * share;
    Wide bottom = Wide{month_} * kWhole;
    if (unit == CreditUnit::order && terms_.fee->per == CreditUnit::node) top *= terms_.nodes;
    if (unit == CreditUnit::node && terms_.fee->per == CreditUnit::order) bottom *= terms_.nodes;
    return rounded(top, bottom, terms_.credits->round_to, mode);
  }
  [[nodiscard]] std::int64_t credit_of(CreditUnit unit, std::int64_t share) const {
    return share_of(unit, share, terms_.credits->rounding);
  }

 private:
  const Terms& terms_;
  std::int64_t seconds_, month_;
};

bool is_up_for(const UnitCredit& unit, std::int64_t share) {
  return Wide{unit.period_s - unit.down_s} * kWhole >= Wide{unit.period_s} * share;
}

// The share that the unit's uptime costs.
std::int64_t tier_share(const Terms& terms, const UnitCredit& unit) {
  if (unit.period_s == 0 || is_up_for(unit, terms.availability->objective)) return 0;
  for (const CreditTier& tier : terms.credits->tiers) {
    if (is_up_for(unit, tier.at_least)) return tier.share;
  }
  return 0;  // the last tier begins at 0
}

std::vector<TimeSpan> clipped(const std::vector<TimeSpan>& spans, const TimeSpan& to) {
  std::vector<TimeSpan> out;
  for (const TimeSpan& span : spans) out.push_back(common_part(span, to));
  return united(std::move(out));
}

// Outages by unit, overlapping ones once.
std::map<std::string, std::vector<TimeSpan>> outages_by_unit(const Availability& availability) {
  std::map<std::string, std::vector<TimeSpan>> out;
  for (const Outage& outage : availability.outages) {
    if (availability.unit == CreditUnit::order) {
      out["order"].push_back(outage.span);
    } else {
      for (const std::string& node : outage.nodes) out[node].push_back(outage.span);
    }
  }
  return out;
}

std::vector<UnitCredit> unit_credits(const Terms& terms, const TimeSpan& span, const Fees& fees) {
  const Availability& availability = *terms.availability;
  const auto windows = availability.maintenance == Maintenance::counts
                           ? std::vector<TimeSpan>{}
                           : clipped(availability.windows, span);
  std::vector<UnitCredit> out;
  for (const auto& [name, spans] : outages_by_unit(availability)) {
    const auto down = clipped(spans, span);
    if (down.empty()) continue;
    UnitCredit unit{
        .unit = name, .period_s = span.seconds(), .down_s = seconds_of(without(down, windows))};
    if (availability.maintenance == Maintenance::out_of_the_period) {
      unit.period_s -= seconds_of(windows);
    }
    unit.share = tier_share(terms, unit);
    unit.credit = fees.credit_of(availability.unit, unit.share);
    out.push_back(std::move(unit));
  }
  return out;
}

std::vector<FloorCredit> floor_credits(const Terms& terms, const TimeSpan& span,
                                       std::span<const RunResult> results, const Fees& fees) {
  std::vector<FloorCredit> out;
  for (const Floor& floor : terms.floors) {
    if (floor.credit == 0) continue;
    FloorCredit one{.result = check_floor(floor, {.span = span, .demanded = true}, results)};
    // Runs of other months are evidence there; a run without date is of no month.
    std::erase_if(one.result.aside, [&](const SetAside& aside) {
      return aside.run->started_unix_s > 0 && !span.holds(aside.run->started_unix_s);
    });
    const bool none = std::none_of(results.begin(), results.end(), [&](const RunResult& result) {
      return span.holds(result.started_unix_s) && has_case_of(floor, result);
    });
    for (FloorCell& cell : one.result.cells) {
      one.runs += cell.runs.size();
      if (none) cell.reason = "no run of its case began in this period";
    }
    if (one.result.verdict == FloorVerdict::not_met) {
      one.credit = fees.credit_of(CreditUnit::order, floor.credit);
    } else if (one.result.verdict == FloorVerdict::met) {
      one.credit = 0;
    }
    out.push_back(std::move(one));
  }
  return out;
}

MonthCredits month_credits(const Terms& terms, std::span<const RunResult> results,
                           const TimeSpan& month, std::int64_t now) {
  MonthCredits out{.span = common_part(month, terms.valid)};
  out.whole = out.span == month;
  out.over = now >= out.span.to;
  const Fees fees(terms, out.span, month);
  out.fee = fees.credit_of(CreditUnit::order, kWhole);
  if (terms.availability) out.units = unit_credits(terms, out.span, fees);
  out.floors = floor_credits(terms, out.span, results, fees);
  for (const UnitCredit& unit : out.units) out.sum += unit.credit;
  for (const FloorCredit& floor : out.floors) out.sum += floor.credit.value_or(0);
  out.cap = fees.share_of(CreditUnit::order, terms.credits->cap, RoundingMode::down);
  out.owed = std::min(out.sum, out.cap);
  return out;
}

std::int64_t parse_month(std::string_view text) {
  const auto day = parse_utc_day(std::string(text) + "-01");
  STEPMARK_REQUIRE(day, "'{}': expected a month such as 2026-12 (periods are calendar months, UTC)",
                   text);
  return *day;
}

}  // namespace

MonthRange parse_months(std::string_view first, std::string_view last) {
  const MonthRange out{.first = parse_month(first), .last = parse_month(last)};
  STEPMARK_REQUIRE(out.first <= out.last, "the last month, {}, lies before the first, {}", last,
                   first);
  STEPMARK_REQUIRE(out.last - out.first < std::int64_t{kMostMonths} * 31 * kDayS,
                   "{} to {} are more than {} months", first, last, kMostMonths);
  return out;
}

std::int64_t CreditsOwed::owed() const {
  std::int64_t out = 0;
  for (const MonthCredits& month : months) out += month.owed;
  return out;
}

int CreditsOwed::not_decided() const {
  int out = 0;
  for (const MonthCredits& month : months) {
    for (const FloorCredit& floor : month.floors) out += floor.credit ? 0 : 1;
  }
  return out;
}

CreditsOwed credits_owed(const Terms& terms, std::span<const RunResult> results,
                         const MonthRange& months, std::int64_t now) {
  STEPMARK_REQUIRE(terms.credits, "{}: the terms have no 'credits', so nothing can be owed",
                   terms.file);
  CreditsOwed out{.terms = &terms};
  std::size_t undated = 0;
  for (const RunResult& result : results) undated += result.started_unix_s > 0 ? 0 : 1;
  if (undated > 0) {
    out.remarks.push_back(fmt::format(
        "{} results have no date (imported ones seldom do) and count in no month", undated));
  }
  for (TimeSpan month = month_of(months.first); month.from <= months.last;
       month = month_of(month.to)) {
    if (common_part(month, terms.valid).seconds() == 0) {
      out.remarks.push_back(
          fmt::format("{}: the terms do not hold", day_text(month.from).substr(0, 7)));
      continue;
    }
    out.months.push_back(month_credits(terms, results, month, now));
    if (!out.months.back().over) {
      out.remarks.push_back(fmt::format("{} is not over: outages and runs may be added",
                                        day_text(month.from).substr(0, 7)));
    }
  }
  STEPMARK_REQUIRE(!out.months.empty(),
                   "{}: the terms hold in none of these months, but from {} "
                   "until {}",
                   terms.file, day_text(terms.valid.from), day_text(terms.valid.to - kDayS));
  return out;
}

}  // namespace stepmark
