// SPDX-License-Identifier: Apache-2.0
// Sizes, depths and magnitudes that a file can have: a message, never the memory or the stack.
#include "results/record/journal_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/error.h"
#include "results/compare/compare.h"
#include "results/families/read_journal.h"
#include "results/record/journal_lines.h"
#include "results/record/json_reader.h"
#include "results/views/csv/csv.h"
#include "results/views/json/comparison_json.h"
#include "results/views/json/run_json.h"
#include "results/views/report/report_data.h"
#include "results/views/table/comparison_table.h"
#include "results/views/table/run_table.h"
#include "synthetic.h"

namespace stepmark {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string nested(int depth) {
  return std::string(static_cast<std::size_t>(depth), '[') +
         std::string(static_cast<std::size_t>(depth), ']');
}

std::string refusal(const std::string& content) {
  try {
    static_cast<void>(parse_journal(content, "a.smk"));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return error.message();
  }
  return {};
}

// A journal of one line whose config is `config`, without hashes.
std::string with_config(const std::string& config) {
  auto header = synthetic::header({});
  header.config = "CONFIG";
  auto content = synthetic::unchained({header_json(header, "run")});
  return content.replace(content.find("\"CONFIG\""), 8, config);
}

TEST(JournalLimits, DepthIsBoundedWithTheLine) {
  EXPECT_EQ(refusal(with_config(nested(kMaxJsonDepth - 1))), "");
  for (const int depth : {kMaxJsonDepth, 40'000, 5'000'000}) {
    EXPECT_THAT(
        refusal(with_config(nested(depth))),
        AllOf(HasSubstr("a.smk:1: "), HasSubstr(fmt::format("nested {} levels", depth + 1))));
    EXPECT_THAT(refusal(synthetic::unchained({header_json(synthetic::header({}), "run")}) +
                        nested(depth) + "\n"),
                HasSubstr("a.smk:2: "));
  }
  // Brackets in texts are no depth, whatever is escaped around them.
  auto header = synthetic::header({});
  header.config = std::string(1000, '[') + "\\\"" + std::string(1000, '{') + "\\";
  EXPECT_EQ(refusal(synthetic::chained({header_json(header, "run")})), "");
  EXPECT_THROW(static_cast<void>(parse_json("[\"\\\\\"" + nested(65))), Error);
}

TEST(JournalLimits, CasesAndNumbersAreBounded) {
  auto json = header_json(synthetic::header({}), "run");
  json["cases"] = std::vector<std::string>(kMaxCases + 1, "x");
  EXPECT_THAT(refusal(synthetic::chained({json})), HasSubstr("100001 cases, at most 100000"));
  json["cases"] = nlohmann::json::array();
  for (const auto& [key, value] : std::vector<std::pair<const char*, nlohmann::json>>{
           {"ranks", 0}, {"ranks", -4}, {"ranks", 4294967296}, {"schema_version", 1e300}}) {
    auto changed = json;
    changed[key] = value;
    EXPECT_NE(refusal(synthetic::chained({changed})), "") << key << value;
  }
  auto content = synthetic::unchained({json});
  content.replace(content.find("\"ranks\":4"), 9, "\"ranks\":1e99999");
  EXPECT_THAT(refusal(content), HasSubstr("number overflow"));
}

// Every number of every family, one at a time: no exception, no undefined conversion (the debug
// build would stop), and nothing that is no number on paper.
TEST(JournalLimits, AnyMagnitudeIsReadAndShown) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> times = {0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.15, 0.25};
  const std::vector<Record> families = {
      synthetic::collective("all_reduce", 4096, "in-place", times), synthetic::groups(8),
      synthetic::overlap(8), synthetic::kernel("gemm", 1e9, 1e6, times),
      synthetic::step("tiny", times, true)};
  for (const auto& family : families) {
    for (std::size_t i = 0; i <= family.numbers.size(); ++i) {
      for (const double value : {0.0, -1.0, 1e300, -1e300, 1e-320, kNaN}) {
        auto record = family;
        if (i < record.numbers.size()) {
          record.numbers[i].second = value;
        } else {
          record.series.front().values.assign(8, value);
        }
        auto run =
            synthetic::run({.seed = 1, .collectives = false, .kernels = false, .steps = false});
        run.records = {record};
        run.header.cases = {record.case_id};
        auto back = parse_journal(synthetic::chained(synthetic::lines_of(run)), "a.smk");
        auto other = back;
        other.header.run_id = "other";
        for (auto& timed : other.records) {
          timed.started_unix_s += 1;
        }
        const auto comparison = compare(std::vector{RunSide{.label = "a", .runs = {back}},
                                                    RunSide{.label = "b", .runs = {other}}});
        const auto what = fmt::format("{} number {} = {}", record.family, i, value);
        for (const auto& text :
             {run_table(back), runs_csv(std::span(&back, 1)), run_json(back).dump(),
              comparison_table(comparison), to_json(comparison).dump(),
              report_data(std::span(&back, 1)).dump()}) {
          EXPECT_THAT(text, Not(::testing::ContainsRegex("[-: |,]nan\\b|[-: |,]inf\\b|\\bn/a\\b")))
              << what;
        }
      }
    }
  }
}

// Sums and slopes of such times overflow: what is computed from them ends all the same.
TEST(JournalLimits, HugeSamplesThatDriftAreReadToAnEnd) {
  for (const double scale : {1e300, 1e306, 1e307}) {
    std::vector<double> times;
    for (int i = 0; i < 100; ++i) {
      times.push_back(scale * (1 + i / 10.0 + (i % 7) / 100.0));
    }
    auto run = synthetic::run({.seed = 1, .collectives = false, .kernels = false, .steps = false});
    run.records = {synthetic::step("tiny", std::vector<double>(100, 0.1), false)};
    run.records.front().series.front().values = times;
    const auto back = parse_journal(synthetic::chained(synthetic::lines_of(run)), "a.smk");
    ASSERT_EQ(back.records.size(), 1U) << scale;
    EXPECT_NE(run_table(back), "");
  }
}

TEST(JournalLimits, TimesThatNoClockGivesAreNotCompared) {
  for (const double strange : {1e308, 1e-320, 1e12}) {
    auto run = synthetic::run({.seed = 1, .collectives = false, .kernels = false, .steps = false});
    run.records = {
        synthetic::step("tiny", {0.25, 0.26, 0.25, 0.25, 0.27, 0.25, 0.25, 0.25}, false)};
    run.header.cases = {run.records.front().case_id};
    run.records.front().series.front().values.back() = strange;
    auto other = run;
    other.header.run_id = "other";
    other.records.front().started_unix_s += 1;
    const auto comparison = compare(
        std::vector{RunSide{.label = "a", .runs = {run}}, RunSide{.label = "b", .runs = {other}}});
    const auto& verdict = comparison.sides.at(0).cases.at(0);
    EXPECT_EQ(verdict.verdict, Verdict::undecided);
    EXPECT_THAT(verdict.reason, HasSubstr("outside 1e-12 s to 1000000000 s"));
  }
}

}  // namespace
}  // namespace stepmark
