// SPDX-License-Identifier: Apache-2.0
#include "results/record/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "results/record/summary.h"
#include "synthetic.h"

namespace stepmark {
namespace {

using ::testing::HasSubstr;

std::string message_of(const std::function<void()>& action, ExitCode expected) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), expected);
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

std::string parse_error(const nlohmann::json& json) {
  return message_of([&] { static_cast<void>(record_from_json(json)); }, ExitCode::kUsage);
}

TEST(RecordJson, EveryFieldSurvivesTheRoundTrip) {
  auto record = synthetic::step("tiny", {0.03, 0.031, 0.032, 0.03, 0.031, 0.03, 0.033}, true);
  record.labels = {"slice", "stopped: budget"};
  record.provenance = Provenance::simulated;
  record.perf_valid = false;
  record.outcome = Outcome::failed;
  record.reason = "loss differs";
  const auto json = to_json(record);
  const auto back = record_from_json(json);
  EXPECT_EQ(to_json(back), json);
  EXPECT_EQ(to_json(record_from_json(nlohmann::json::parse(json.dump()))), json);
  EXPECT_EQ(back.provenance, Provenance::simulated);
  EXPECT_EQ(back.outcome, Outcome::failed);
  EXPECT_EQ(back.timeline.size(), record.timeline.size());
  EXPECT_EQ(back.number("tokens_per_step"), 2048);
  EXPECT_EQ(back.text("plan"), "dp=2 tp=2");
  EXPECT_EQ(back.number("absent"), std::nullopt);
  EXPECT_EQ(back.text("absent"), "");
}

TEST(RecordJson, UndefinedNumbersTravelAsNull) {
  Record record{.case_id = "x", .family = "kernel"};
  record.numbers = {{"nan", std::numeric_limits<double>::quiet_NaN()},
                    {"inf", std::numeric_limits<double>::infinity()}};
  record.metrics = {{.name = "mfu", .unit = "1", .note = "no peak"}};
  const auto json = to_json(record);
  EXPECT_TRUE(json["numbers"]["nan"].is_null());
  EXPECT_TRUE(json["numbers"]["inf"].is_null());
  const auto back = record_from_json(json);
  EXPECT_TRUE(std::isnan(*back.number("nan")));
  EXPECT_FALSE(back.metrics.at(0).value.has_value());
}

TEST(RecordJson, MistakesNameTheKey) {
  const auto good = to_json(synthetic::step("tiny", std::vector<double>(10, 0.03), true));
  auto json = good;
  json["famly"] = "x";
  EXPECT_THAT(parse_error(json), HasSubstr("record.famly: unknown key, did you mean 'family'?"));
  json = good;
  json["wall_s"] = "long";
  EXPECT_THAT(parse_error(json),
              HasSubstr("record.wall_s: found string \"long\", expected a number or null"));
  json = good;
  json.erase("labels");
  EXPECT_THAT(parse_error(json), HasSubstr("record.labels: found nothing"));
  json = good;
  json["series"][0]["values"][3] = true;
  EXPECT_THAT(parse_error(json), HasSubstr("record.series[0].values: found array of 10"));
  json = good;
  json["outcome"] = "fine";
  EXPECT_THAT(parse_error(json), HasSubstr("ok | skipped | failed | not-measured"));
  json = good;
  json["timeline"][1] = {0, "compute", "x"};
  EXPECT_THAT(parse_error(json), HasSubstr("record.timeline[1]"));
  json = good;
  json["summaries"][0]["count"] = 1.5;
  EXPECT_THAT(parse_error(json), HasSubstr("record.summaries[0].count"));
  json = good;
  json["case_id"] = "";
  EXPECT_THAT(parse_error(json), HasSubstr("record.case_id"));
  EXPECT_THAT(parse_error(nlohmann::json::array()), HasSubstr("expected an object"));
}

TEST(Summarize, CutsTheStartAndCountsWhatIsLeft) {
  synthetic::Noise noise(7);
  auto values = synthetic::times({.median_s = 1e-3, .count = 200, .noise = 0.01}, noise);
  for (std::size_t i = 0; i < 20; ++i) {
    values[i] *= 3;  // a start-up transient
  }
  const auto s = summarize({.name = "time_s", .unit = "s", .values = values});
  EXPECT_GE(s.steady_from, 15);
  EXPECT_EQ(s.count + s.steady_from, 200);
  EXPECT_NEAR(s.median, 1e-3, 5e-6);
  EXPECT_LT(s.lower, s.median);
  EXPECT_GT(s.upper, s.median);
  EXPECT_GT(s.effective_count, 50);
  EXPECT_LE(s.min, s.median);
  EXPECT_LE(s.p95, s.p99);
  EXPECT_LE(s.p99, s.max);
}

TEST(Summarize, UndefinedIsNotZero) {
  const auto empty = summarize({.name = "time_s", .unit = "s"});
  EXPECT_EQ(empty.count, 0);
  EXPECT_TRUE(std::isnan(empty.median));
  const auto few = summarize({.name = "time_s", .unit = "s", .values = {1, 2, 3}});
  EXPECT_TRUE(std::isnan(few.lower));
  EXPECT_TRUE(std::isnan(few.upper));
}

}  // namespace
}  // namespace stepmark
