// SPDX-License-Identifier: Apache-2.0
#include "results/contract/dates.h"

#include <gtest/gtest.h>

namespace stepmark {
namespace {

TEST(Dates, DaysAndMomentsAreThoseOfTheCalendarInUtc) {
  EXPECT_EQ(parse_utc_day("2026-12-01"), 1796083200);  // date -u -d 2026-12-01 +%s
  EXPECT_EQ(parse_moment("2026-12-05T02:00:00Z"), 1796083200 + 4 * kDayS + 7200);
  EXPECT_EQ(parse_moment("2026-12-05T02:00Z"), 1796083200 + 4 * kDayS + 7200);
  EXPECT_EQ(moment_text(1796083200 - 1), "2026-11-30T23:59:59Z");
  EXPECT_EQ(day_text(1796083200), "2026-12-01");
}

TEST(Dates, WhatIsNearlyADayOrAMomentIsNone) {
  for (const char* text : {"2026-02-29", "2026-13-01", "2026-1-01", "1999-01-01", "01-12-2026",
                           "2026-12-01T", "", "2026-12-00", "2026/12/01"}) {
    EXPECT_FALSE(parse_utc_day(text)) << text;
  }
  for (const char* text : {"2026-12-05T02:00:00", "2026-12-05T24:00:00Z", "2026-12-05 02:00:00Z",
                           "2026-12-05T2:00Z", "2026-12-05T02:60:00Z", "2026-12-05T02:00+01"}) {
    EXPECT_FALSE(parse_moment(text)) << text;
  }
  EXPECT_TRUE(parse_utc_day("2028-02-29"));
}

TEST(Dates, AMonthIsItsDays) {
  const TimeSpan february = month_of(*parse_moment("2027-02-14T12:00Z"));
  EXPECT_EQ(day_text(february.from), "2027-02-01");
  EXPECT_EQ(day_text(february.to), "2027-03-01");
  EXPECT_EQ(february.seconds(), 28 * kDayS);
  EXPECT_EQ(month_of(*parse_utc_day("2026-12-31")).to, *parse_utc_day("2027-01-01"));
}

TEST(Dates, OverlapsCountOnceAndHolesAreTakenOut) {
  const auto all = united({{10, 20}, {15, 30}, {40, 40}, {30, 35}, {50, 60}});
  EXPECT_EQ(all, (std::vector<TimeSpan>{{10, 35}, {50, 60}}));
  EXPECT_EQ(seconds_of(all), 35);
  EXPECT_EQ(without(all, {{0, 12}, {20, 25}, {55, 70}}),
            (std::vector<TimeSpan>{{12, 20}, {25, 35}, {50, 55}}));
  EXPECT_EQ(without({{0, 5}}, {{0, 5}}), (std::vector<TimeSpan>{}));
  EXPECT_EQ(common_part({0, 5}, {7, 9}).seconds(), 0);
}

}  // namespace
}  // namespace stepmark
