// SPDX-License-Identifier: Apache-2.0
#include "results/record/merge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/error.h"
#include "results/families/read_journal.h"
#include "results/record/journal_lines.h"
#include "synthetic.h"

namespace stepmark {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// `count` equal times: the summary has no width of its own.
Record repetition(int number, double time_s, std::size_t count = 12) {
  Record record = synthetic::step("tiny", std::vector<double>(count, time_s), number == 2);
  record.repetition = number;
  return record;
}

TEST(OverRepetitions, GeometricMeanWithStudentsInterval) {
  const std::vector<Estimate> two = {{1.0, kNaN, kNaN}, {4.0, kNaN, kNaN}};
  const Estimate all = over_repetitions(two);
  EXPECT_NEAR(all.value, 2.0, 1e-12);
  // ln 4 apart: sd of the mean is ln(4) / 2; Student's 97.5 % quantile with 1 degree is 12.7062.
  EXPECT_NEAR(std::log(all.upper / all.value), 12.7062 * std::log(4.0) / 2, 1e-3);
  EXPECT_NEAR(all.value / all.lower, all.upper / all.value, 1e-6 * all.upper);
}

TEST(OverRepetitions, AgreementByLuckDoesNotNarrow) {
  // Both medians equal, each known to 1 %: the interval is not of width 0.
  const Estimate each{1.0, 0.99, 1.01};
  const Estimate all = over_repetitions(std::vector<Estimate>{each, each, each});
  // sd 0.01 / 1.96, divided by sqrt(3), times Student's 4.3027.
  EXPECT_NEAR(std::log(all.upper), 0.01 / 1.96 / std::sqrt(3.0) * 4.3027, 2e-4);
}

TEST(OverRepetitions, FiguresThatMayBeNegativeAreAveragedPlainly) {
  const Estimate all =
      over_repetitions(std::vector<Estimate>{{-0.1, kNaN, kNaN}, {0.3, kNaN, kNaN}});
  EXPECT_NEAR(all.value, 0.1, 1e-12);
  EXPECT_TRUE(std::isnan(over_repetitions(std::vector<Estimate>{{1, 1, 1}, {kNaN, 1, 1}}).value));
  EXPECT_TRUE(std::isnan(over_repetitions({}).value));
  const Estimate single{3, 2, 4};
  EXPECT_EQ(over_repetitions(std::vector<Estimate>{single}).upper, 4);
}

// The interval must hold the truth in 95 % however the chance is divided between the levels.
TEST(OverRepetitions, CoversTheTruth) {
  synthetic::Noise noise(11);
  for (const double between : {0.0, 0.005, 0.03}) {
    for (const int count : {2, 3, 5}) {
      int covered = 0;
      constexpr int kTries = 2000;
      constexpr double kWithin = 0.005;
      for (int t = 0; t < kTries; ++t) {
        std::vector<Estimate> estimates;
        for (int k = 0; k < count; ++k) {
          const double value = std::exp(between * noise.normal() + kWithin * noise.normal());
          estimates.push_back({.value = value,
                               .lower = value * std::exp(-1.96 * kWithin),
                               .upper = value * std::exp(1.96 * kWithin)});
        }
        const Estimate all = over_repetitions(estimates);
        covered += all.lower < 1.0 && 1.0 < all.upper ? 1 : 0;
      }
      EXPECT_GT(covered, 0.935 * kTries) << between << ' ' << count;
    }
  }
}

TEST(RelativeSpread, IsTheStandardDeviationOfLogarithms) {
  EXPECT_NEAR(relative_spread(std::vector<double>{1.0, 1.01}), std::log(1.01) / std::sqrt(2.0),
              1e-12);
  EXPECT_TRUE(std::isnan(relative_spread(std::vector<double>{1.0})));
  EXPECT_TRUE(std::isnan(relative_spread(std::vector<double>{1.0, 0.0})));
}

TEST(MergeRepetitions, JoinsSamplesAndKeepsWhatTheyAgreeOn) {
  const std::vector<Record> parts = {repetition(1, 0.010), repetition(2, 0.011, 8),
                                     repetition(3, 0.012)};
  const Record all = merge_repetitions(parts);
  EXPECT_EQ(all.outcome, Outcome::ok);
  EXPECT_EQ(all.repetitions, 3);
  EXPECT_EQ(all.series.at(0).values.size(), 32U);
  EXPECT_EQ(all.series.at(0).values.at(12), 0.011);
  const Summary* time = all.summary("time_s");
  ASSERT_NE(time, nullptr);
  EXPECT_EQ(time->count, 32);
  EXPECT_NEAR(time->median, std::cbrt(0.010 * 0.011 * 0.012), 1e-12);
  EXPECT_EQ(time->min, 0.010);
  EXPECT_EQ(time->max, 0.012);
  EXPECT_LT(time->lower, 0.010);
  EXPECT_GT(time->upper, 0.012);
  EXPECT_NEAR(all.spread, 0.0912, 1e-3);
  // A rate of the same work is the rate of the merged time, interval included.
  const double tokens = *all.number("tokens_per_step");
  EXPECT_NEAR(*all.metric("tokens_per_s")->value, tokens / time->median, 1e-6);
  EXPECT_NEAR(*all.metric("tokens_per_s")->upper, tokens / time->lower, 1e-3);
  EXPECT_EQ(all.timeline.size(), parts[1].timeline.size());  // of the middle one
  EXPECT_GT(all.timeline.size(), 0U);
  EXPECT_EQ(all.texts, parts[0].texts);
  EXPECT_EQ(all.numbers, parts[0].numbers);
}

TEST(MergeRepetitions, AFailureInOneIsAFailure) {
  std::vector<Record> parts = {repetition(1, 0.010), repetition(2, 0.010)};
  parts[1].outcome = Outcome::failed;
  parts[1].reason = "loss differs";
  parts[1].checks = {{.name = parts[0].checks.at(0).name, .passed = false, .detail = "off by 3"}};
  const Record all = merge_repetitions(parts);
  EXPECT_EQ(all.outcome, Outcome::failed);
  EXPECT_EQ(all.reason, "repetition 2: loss differs");
  EXPECT_FALSE(all.checks.at(0).passed);
  EXPECT_EQ(all.checks.at(0).detail, "repetition 2: off by 3");
  EXPECT_TRUE(all.metrics.empty());
}

TEST(MergeRepetitions, WhatWasNotReachedTakesNothingAway) {
  std::vector<Record> parts = {repetition(1, 0.010), repetition(2, 0.010)};
  parts[1] = {.case_id = parts[0].case_id,
              .family = "step",
              .outcome = Outcome::not_measured,
              .reason = "received SIGTERM",
              .repetition = 2};
  const Record all = merge_repetitions(parts);
  EXPECT_EQ(all.outcome, Outcome::ok);
  EXPECT_EQ(all.repetitions, 1);
  EXPECT_EQ(all.summary("time_s")->median, 0.010);
}

TEST(MergeRepetitions, DifferentFactsAreCombinedByTheirMeaning) {
  std::vector<Record> parts = {repetition(1, 0.010), repetition(2, 0.010)};
  parts[0].numbers = {{"gpu_power_w_max", 300}, {"energy_j", 5}, {"gap_s", 1}, {"odd", kNaN}};
  parts[1].numbers = {{"gpu_power_w_max", 310}, {"energy_j", 6}, {"gap_s", 3}, {"odd", kNaN}};
  parts[0].texts = {{"algorithm", "ring"}};
  parts[1].texts = {{"algorithm", "tree"}};
  parts[0].labels = {"oversubscribed"};
  parts[1].labels = {"oversubscribed", "stopped: budget"};
  parts[1].perf_valid = false;
  const Record all = merge_repetitions(parts);
  EXPECT_EQ(*all.number("gpu_power_w_max"), 310);
  EXPECT_EQ(*all.number("energy_j"), 11);
  EXPECT_EQ(*all.number("gap_s"), 2);
  EXPECT_TRUE(std::isnan(*all.number("odd")));
  EXPECT_EQ(all.text("algorithm"), "ring | tree");
  EXPECT_THAT(all.labels, ElementsAre("oversubscribed", "stopped: budget"));
  EXPECT_FALSE(all.perf_valid);
}

TEST(MergeRepetitions, AFigureWithoutValueStaysWithout) {
  std::vector<Record> parts = {repetition(1, 0.010), repetition(2, 0.010)};
  for (Record& part : parts) {
    for (Metric& metric : part.metrics) {
      if (metric.name == "mfu" && part.repetition == 2) {
        metric.value.reset();
        metric.note = "no peak";
      }
    }
  }
  const Record all = merge_repetitions(parts);
  EXPECT_FALSE(all.metric("mfu")->value.has_value());
  EXPECT_THAT(all.metric("mfu")->note, HasSubstr("no peak"));
}

// What a journal says of repetitions, read as `path`.
Run run_of(const std::vector<Record>& records, int asked) {
  RunHeader header = synthetic::header({});
  header.repetitions = asked;
  header.cases = {"a", records.front().case_id};
  std::vector<nlohmann::json> lines = {header_json(header, "run")};
  for (const Record& record : records) lines.push_back(record_line_json(record));
  return parse_journal(synthetic::chained(lines), "run.smk");
}

TEST(RunWithRepetitions, OneRecordPerCaseAndEachRepetitionOnRequest) {
  Record other = repetition(1, 0.5);
  other.case_id = "a";
  const std::vector<Record> lines = {repetition(2, 0.012), other, repetition(1, 0.010),
                                     repetition(2, 0.011)};  // the last one wins
  const auto run = run_of(lines, 2);
  ASSERT_EQ(run.records.size(), 2U);
  EXPECT_EQ(run.records[0].case_id, "a");
  EXPECT_EQ(run.records[1].repetitions, 2);
  const auto parts = run.repetitions(lines[0].case_id);
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[0]->repetition, 1);
  EXPECT_EQ(parts[1]->summary("time_s")->median, 0.011);
  ASSERT_EQ(run.repetitions("a").size(), 1U);
  EXPECT_EQ(run.repetitions("a")[0], run.find("a"));
  EXPECT_TRUE(run.repetitions("b").empty());
  EXPECT_THAT(run.missing(), ElementsAre("a"));  // its second repetition
  EXPECT_EQ(run.header.repetitions, 2);
}

TEST(RunWithRepetitions, ALineWithoutNumberIsTheFirst) {
  const auto json = record_line_json(repetition(1, 0.010));
  EXPECT_FALSE(json.contains("repetition"));
  EXPECT_EQ(record_line_json(repetition(3, 0.010))["repetition"], 3);
  for (const int wrong : {0, -1, 101}) {
    EXPECT_THROW(static_cast<void>(run_of({repetition(wrong, 0.010)}, 2)), Error) << wrong;
    EXPECT_THROW(static_cast<void>(run_of({repetition(1, 0.010)}, wrong)), Error) << wrong;
  }
}

}  // namespace
}  // namespace stepmark
