// SPDX-License-Identifier: Apache-2.0
// Credits against what a calculator says, on bounds of tiers to the second, in parts of months.
#include "results/contract/credits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/units.h"
#include "sample_terms.h"

namespace stepmark {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kMillion = 1'000'000;  // millionths of a dollar
constexpr std::int64_t kLater = 4'000'000'000;

CreditsOwed owed(const Terms& terms, const char* first = "2026-12", const char* last = "2026-12",
                 const std::vector<RunResult>& results = {}) {
  return credits_owed(terms, results, parse_months(first, last), kLater);
}

// December has 2678400 s, a node's fee is 1600000 / 32 = 50000.
// gpu-017 was down for 6 h, one of them in a maintenance window: 18000 s, uptime 99.3280 %, which
// is below 99.5 and at least 99: 10 %, 5000. Two nodes were down for 48 h: 93.5484 %, below 95: 100
// % of 50000 each. Together 105000, below the cap of half the fee, 800000.
TEST(Credits, AreThoseOfTheSampleComputedByHand) {
  const Terms terms = read_terms_text(sample_text(), "t.yaml");
  const auto credits = owed(terms);
  const MonthCredits& month = credits.months.at(0);
  ASSERT_EQ(month.units.size(), 3U);
  EXPECT_EQ(month.units[2].unit, "gpu-017");
  EXPECT_EQ(month.units[2].period_s, 2678400);
  EXPECT_EQ(month.units[2].down_s, 18000);
  EXPECT_EQ(month.units[2].credit, 5000 * kMillion);
  EXPECT_EQ(month.units[0].down_s, 172800);
  EXPECT_EQ(month.units[0].credit, 50000 * kMillion);
  EXPECT_EQ(month.fee, 1600000 * kMillion);
  EXPECT_EQ(month.cap, 800000 * kMillion);
  EXPECT_EQ(credits.owed(), 105000 * kMillion);
}

TEST(Credits, MaintenanceCountsAsTheTermsSay) {
  const auto unit = [](const char* mode) {
    const Terms terms = read_terms_text(sample_with("no-downtime", mode), "t.yaml");
    return owed(terms).months.at(0).units.at(2);
  };
  EXPECT_EQ(unit("counts").down_s, 21600);
  EXPECT_EQ(unit("counts").period_s, 2678400);
  EXPECT_EQ(unit("out-of-the-period").down_s, 18000);
  EXPECT_EQ(unit("out-of-the-period").period_s, 2678400 - 4 * 3600);
}

// 0.5 % of December is 13392 s, 1 % is 26784 s, 5 % is 133920 s.
TEST(Credits, LowerBoundsOfTiersAreInTheTierToTheSecond) {
  const Terms sample = read_terms_text(sample_text(), "t.yaml");
  const std::int64_t begin = *parse_moment("2026-12-10T00:00Z");
  const auto share = [&](std::int64_t down) {
    Terms terms = sample;
    terms.availability->outages = {
        {.span = {.from = begin, .to = begin + down}, .nodes = {"n"}, .cause = {}}};
    return owed(terms).months.at(0).units.at(0).share / (kWhole / 100);
  };
  EXPECT_EQ(share(13392), 0);
  EXPECT_EQ(share(13393), 10);
  EXPECT_EQ(share(26784), 10);
  EXPECT_EQ(share(26785), 30);
  EXPECT_EQ(share(133920), 30);
  EXPECT_EQ(share(133921), 100);
}

TEST(Credits, OutagesThatOverlapCountOnceAndEndWithTheMonth) {
  Terms terms = read_terms_text(sample_text(), "t.yaml");
  const std::int64_t january = *parse_utc_day("2027-01-01");
  const auto outage = [&](std::int64_t from, std::int64_t to) {
    return Outage{
        .span = {.from = january + from, .to = january + to}, .nodes = {"n"}, .cause = {}};
  };
  terms.availability->outages = {outage(-7200, 3600), outage(-3600, 7200)};
  const auto credits = owed(terms, "2026-12", "2027-01");
  EXPECT_EQ(credits.months.at(0).units.at(0).down_s, 7200);
  EXPECT_EQ(credits.months.at(1).units.at(0).down_s, 7200);
}

TEST(Credits, OfAnOrderAreSharesOfItsFeeAndCapped) {
  Terms terms = read_terms_text(sample_with("  unit: node", "  unit: order"), "t.yaml");
  // 48 h and 5 h of whatever node: 190800 s, 92.88 %: all of 1600000, of which half is the cap.
  const auto credits = owed(terms);
  EXPECT_EQ(credits.months.at(0).units.at(0).down_s, 190800);
  EXPECT_EQ(credits.months.at(0).sum, 1600000 * kMillion);
  EXPECT_EQ(credits.owed(), 800000 * kMillion);
}

// 17 of December's 31 days: 1600000 * 17 / 31 = 877419.3548..., a node's part 27419.354838...
TEST(Credits, OfAPartOfAMonthAreOfThatPartsFee) {
  Terms terms = read_terms_text(sample_with("from: 2026-12-01", "from: 2026-12-15"), "t.yaml");
  const auto credits = owed(terms);
  const MonthCredits& month = credits.months.at(0);
  EXPECT_FALSE(month.whole);
  EXPECT_EQ(month.fee, 877419'350'000);
  ASSERT_EQ(month.units.size(), 2U);  // what was before the terms is nobody's debt
  EXPECT_EQ(month.units[0].credit, 27419'350'000);
}

TEST(Credits, AreRoundedAsTheTermsSay) {
  const auto credit = [](const char* mode, std::int64_t fee) {
    Terms terms = read_terms_text(sample_with("mode: half-up", std::string("mode: ") + mode), "t");
    terms.fee->per = CreditUnit::node;
    terms.fee->monthly = fee;
    return owed(terms).months.at(0).units.at(2).credit;  // 10 %
  };
  EXPECT_EQ(credit("half-up", 100'050'000), 10'010'000);  // 10.005
  EXPECT_EQ(credit("half-even", 100'050'000), 10'000'000);
  EXPECT_EQ(credit("half-even", 100'150'000), 10'020'000);  // 10.015
  EXPECT_EQ(credit("down", 100'090'000), 10'000'000);
  EXPECT_EQ(credit("up", 100'010'000), 10'010'000);
}

RunResult december(double busbw, const char* day, std::int64_t nodes) {
  RunResult out{.source = "a.smk",
                .started_unix_s = static_cast<double>(*parse_utc_day(day)) + 60,
                .case_id = "collective/all_reduce/bf16/sum/1GiB/in-place/world64",
                .family = "collective",
                .size_bytes = kGiB,
                .nodes = nodes};
  out.stack_differs = {};
  out.figures = {{.metric = "busbw", .unit = "GB/s", .value = busbw}};
  return out;
}

// Five percent of 1600000 in the month whose runs do not meet the floor, and in no other.
TEST(Credits, AreOwedForAFloorInTheMonthInWhichItIsNotMet) {
  Terms terms = read_terms_text(sample_text(), "t.yaml");
  terms.floors[0].quantile = 0.5;
  terms.availability->outages.clear();
  std::vector<RunResult> results;
  for (const double busbw : {300.0, 301.0, 302.0}) {
    results.push_back(december(busbw, "2026-12-09", 8));
  }
  for (const double busbw : {350.0, 351.0, 352.0}) {
    results.push_back(december(busbw, "2027-01-09", 8));
  }
  RunResult undated = december(100, "2026-12-09", 8);
  undated.started_unix_s = 0;
  results.push_back(undated);
  const auto credits = owed(terms, "2026-12", "2027-02", results);
  EXPECT_EQ(credits.months.at(0).owed, 80000 * kMillion);
  EXPECT_EQ(credits.months.at(0).floors.at(0).runs, 3U);
  EXPECT_EQ(credits.months.at(0).floors.at(0).credit, 80000 * kMillion);
  EXPECT_EQ(credits.months.at(1).owed, 0);
  EXPECT_EQ(credits.months.at(2).floors.at(0).credit, std::nullopt) << "no runs: not 0";
  EXPECT_EQ(credits.not_decided(), 2);
  EXPECT_EQ(credits.months.at(1).floors.at(0).result.verdict, FloorVerdict::not_measured);
  EXPECT_EQ(credits.months.at(2).floors.at(0).runs, 0U);
  EXPECT_THAT(credits.remarks.at(0), HasSubstr("have no date"));
}

TEST(Credits, SayWhereTheTermsDoNotHoldOrAMonthIsNotOver) {
  const Terms terms = read_terms_text(sample_text(), "t.yaml");
  const auto credits =
      credits_owed(terms, {}, parse_months("2026-11", "2026-12"), *parse_utc_day("2026-12-24"));
  ASSERT_EQ(credits.months.size(), 1U);
  EXPECT_FALSE(credits.months[0].over);
  EXPECT_EQ(credits.remarks.at(0), "2026-11: the terms do not hold");
  EXPECT_THAT(credits.remarks.at(1), HasSubstr("2026-12 is not over"));
  EXPECT_THROW(static_cast<void>(owed(terms, "2025-01", "2025-02")), Error);
  EXPECT_THROW(static_cast<void>(parse_months("2026-13", "2026-12")), Error);
  EXPECT_THROW(static_cast<void>(parse_months("2027-01", "2026-12")), Error);
  EXPECT_THROW(static_cast<void>(parse_months("2000-01", "2199-12")), Error);
}

}  // namespace
}  // namespace stepmark
