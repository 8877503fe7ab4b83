// SPDX-License-Identifier: Apache-2.0
// Records without samples, as another tool's output gives them: every reader says so, and nothing
// makes an interval of them.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "results/families/derive.h"
#include "results/families/read_journal.h"
#include "results/record/journal_lines.h"
#include "results/record/merge.h"
#include "results/record/summary.h"
#include "results/views/csv/csv.h"
#include "results/views/json/comparison_json.h"
#include "results/views/json/run_json.h"
#include "results/views/report/report_data.h"
#include "results/views/table/comparison_table.h"
#include "results/views/table/run_table.h"
#include "synthetic.h"

namespace stepmark {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const std::string kLabel{kNoSamples};

Record busy() {
  return synthetic::without_samples(
      synthetic::collective("all_reduce", 1 << 20, "in-place", std::vector<double>(20, 1e-3)));
}

stepmark::Run read_back(const stepmark::Run& run) {
  return parse_journal(synthetic::chained(synthetic::lines_of(run)), "imported.smk");
}

TEST(Imported, FiguresHaveNoInterval) {
  const stepmark::Run run = synthetic::imported_run(1);
  for (const Record& record : run.records) {
    if (record.outcome != Outcome::ok) continue;
    EXPECT_TRUE(record.is_summary_only()) << record.case_id;
    EXPECT_THAT(record.labels, Contains(kLabel)) << record.case_id;
    EXPECT_FALSE(record.metrics.empty()) << record.case_id;
    for (const Metric& metric : record.metrics) {
      EXPECT_FALSE(metric.lower || metric.upper) << record.case_id << " " << metric.name;
    }
    EXPECT_TRUE(std::isnan(record.summary("time_s")->lower));
    EXPECT_TRUE(std::isnan(record.summary("time_s")->effective_count));
  }
  EXPECT_NEAR(*busy().metric("latency")->value, 1000, 1e-9);
  EXPECT_EQ(busy().summary("time_s")->count, 20);
}

TEST(Imported, DerivingAgainChangesNothing) {
  Record record = busy();
  const auto once = to_json(record);
  derive(record);
  EXPECT_EQ(to_json(record), once);
}

TEST(Imported, AJournalCarriesThemAndItsHashesFit) {
  const stepmark::Run run = synthetic::imported_run(2);
  const stepmark::Run back = read_back(run);
  EXPECT_THAT(back.warnings, IsEmpty());
  EXPECT_EQ(integrity_of(back), "intact");
  ASSERT_EQ(back.records.size(), run.records.size());
  for (std::size_t i = 0; i < run.records.size(); ++i) {
    EXPECT_EQ(to_json(back.records[i]), to_json(run.records[i]));
  }
}

TEST(Imported, AnIntervalThatNothingStandsBehindIsNotShown) {
  stepmark::Run run = synthetic::imported_run(3);
  Summary& time = run.records.back().summaries.front();
  time.lower = time.upper = time.median;
  const stepmark::Run back = read_back(run);
  EXPECT_TRUE(std::isnan(back.records.back().summary("time_s")->lower));
  EXPECT_THAT(back.warnings, Contains(HasSubstr("imported summaries, which have no intervals")));
}

// What is said to be measured must have been: without samples the warning stays.
TEST(Imported, OnlyImportedRecordsMayLackSamples) {
  stepmark::Run run = synthetic::imported_run(4);
  run.records.back().provenance = Provenance::measured;
  EXPECT_THAT(read_back(run).warnings, Contains(HasSubstr("no samples to follow from")));
}

TEST(Imported, SummariesThatCannotBeGiveNoFigures) {
  for (const double median : {std::nan(""), -1e-3, 0.0}) {
    Record record = busy();
    record.summaries.front().median = median;
    ASSERT_NO_THROW(derive(record));
    EXPECT_THAT(record.metrics, IsEmpty());
    EXPECT_THAT(record.labels, Contains(HasSubstr("no figures: "))) << median;
  }
}

TEST(Imported, TablesCsvJsonAndPageSayIt) {
  const stepmark::Run run = synthetic::imported_run(5);
  const std::string table = run_table(run);
  EXPECT_THAT(table, HasSubstr(kLabel));
  EXPECT_THAT(table, HasSubstr("±?"));
  EXPECT_THAT(table, Not(HasSubstr("±0.0 %")));
  const std::string csv = runs_csv(std::vector{run});
  EXPECT_THAT(csv, HasSubstr(kLabel));
  EXPECT_THAT(csv, HasSubstr(",imported,ok,"));
  for (const auto& json : {run_json(run), report_data(std::vector{run})["runs"][0]}) {
    for (const auto& record : json["records"]) {
      if (record["outcome"] != "ok") continue;
      EXPECT_EQ(record["provenance"], "imported");
      EXPECT_THAT(record["labels"].get<std::vector<std::string>>(), Contains(kLabel));
      EXPECT_TRUE(record["summaries"][0]["lower"].is_null());
    }
  }
}

TEST(Imported, AnUnknownNumberOfSamplesIsNone) {
  stepmark::Run run = synthetic::imported_run(6);
  run.records.resize(1);
  run.header.cases = {run.records[0].case_id};
  ASSERT_EQ(run.records[0].summary("time_s")->count, 0);
  EXPECT_THAT(run_table(run), HasSubstr("N/A  ok"));
  const std::string csv = runs_csv(std::vector{run});
  const std::string median = fmt::format("{}", run.records[0].summary("time_s")->median);
  EXPECT_THAT(csv, HasSubstr("," + median + ",,,true,all"));
}

TEST(Imported, RepetitionsMakeNoInterval) {
  Record second = busy();
  second.repetition = 2;
  const Record both = merge_repetitions(std::vector{busy(), second});
  const Summary* time = both.summary("time_s");
  ASSERT_NE(time, nullptr);
  EXPECT_DOUBLE_EQ(time->median, 1e-3);
  EXPECT_DOUBLE_EQ(time->max, 1e-3);
  EXPECT_EQ(time->count, 40);
  EXPECT_TRUE(std::isnan(time->lower) && std::isnan(time->upper));
  EXPECT_FALSE(both.metric("latency")->lower);
}

RunSide side(const std::string& label, stepmark::Run run, double factor = 1) {
  run.header.run_id = label;
  run.path = label + ".smk";
  for (Record& record : run.records) {
    for (Summary& summary : record.summaries) summary.median *= factor;
  }
  return {.label = label, .runs = {std::move(run)}};
}

TEST(Imported, ComparingGivesARatioWithoutVerdict) {
  const stepmark::Run run = synthetic::imported_run(7);
  const Comparison c = compare(std::vector{side("a", run), side("b", run, 1.5)});
  int compared = 0;
  for (const CaseVerdict& v : c.sides[0].cases) {
    if (v.verdict == Verdict::skipped) continue;
    ++compared;
    EXPECT_EQ(v.verdict, Verdict::undecided) << v.case_id;
    EXPECT_EQ(v.reason, kLabel);
    EXPECT_NEAR(v.ratio, 1.5, 1e-12);
    EXPECT_TRUE(std::isnan(v.lower) && std::isnan(v.upper));
  }
  EXPECT_GT(compared, 5);
  EXPECT_THAT(comparison_table(c), HasSubstr("1.500 [?]"));
  EXPECT_TRUE(to_json(c)["sides"][0]["cases"][0]["lower"].is_null());
}

TEST(Imported, NeverComparedWithMeasured) {
  stepmark::Run measured = synthetic::run({.seed = 8, .timeline = false});
  const Comparison c =
      compare(std::vector{side("a", synthetic::imported_run(8)), side("b", measured)});
  EXPECT_EQ(c.sides[0].cases[0].verdict, Verdict::not_comparable);
  EXPECT_THAT(c.sides[0].cases[0].reason, HasSubstr("provenance imported and measured"));
}

}  // namespace
}  // namespace stepmark
