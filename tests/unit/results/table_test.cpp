// SPDX-License-Identifier: Apache-2.0
#include "results/views/table/run_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"
#include "golden.h"
#include "results/families/derive.h"
#include "results/record/journal_lines.h"
#include "results/record/merge.h"
#include "results/views/csv/csv.h"
#include "results/views/json/run_json.h"
#include "results/views/table/text_table.h"
#include "synthetic.h"

namespace stepmark {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Constant times: every figure is exact, on every machine.
Run small_run() {
  Run run = synthetic::run({.seed = 1, .collectives = false, .kernels = false, .steps = false});
  const std::vector<double> quarter(8, 0.25);
  auto invalid = synthetic::collective("all_reduce", 1 << 20, "in-place", quarter);
  invalid.perf_valid = false;
  invalid.labels = {"oversubscribed"};
  invalid.texts.emplace_back("topology", "single-gpu-timesliced");
  derive(invalid);
  auto single = synthetic::collective("all_reduce", 1 << 14, "out-of-place", quarter);
  single.numbers.emplace_back("calls_per_sample", 1);
  derive(single);
  auto watched = synthetic::overlap(8);
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, double>>{{"telemetry_samples", 50},
                                                   {"gpu_power_w", 612.5},
                                                   {"gpu_power_w_max", 700},
                                                   {"gpu_sm_clock_mhz", 1755},
                                                   {"gpu_sm_clock_mhz_min", 1410},
                                                   {"gpu_temperature_c_max", 71},
                                                   {"joules_per_sample", 2.5}}) {
    watched.numbers.emplace_back(name, value);
  }
  watched.texts.emplace_back("throttle_reasons", "sw power cap");
  watched.labels = {"throttled: sw power cap"};
  derive(watched);
  auto wrong = synthetic::collective("all_gather", 1 << 20, "in-place", quarter);
  wrong.checks = {{"all elements exact", false, "17 of 1024 wrong, first at 3"}};
  run.records = {synthetic::collective("all_reduce", 1 << 12, "out-of-place", quarter),
                 single,
                 synthetic::collective("all_reduce", 1 << 20, "out-of-place", quarter),
                 invalid,
                 wrong,
                 synthetic::groups(8),
                 watched,
                 synthetic::kernel("gemm, \"big\"", 6.4e9, 1e9, quarter),
                 synthetic::step("tiny", quarter, true),
                 {.case_id = "kernel/rope",
                  .family = "kernel",
                  .outcome = Outcome::failed,
                  .reason = "max relative error 1e-2 (limit 1e-5)"}};
  run.header.cases.clear();
  for (const auto& record : run.records) {
    run.header.cases.push_back(record.case_id);
  }
  run.header.cases.emplace_back("step/gpt2-124m");
  run.warnings = {"line 9: incomplete last line ignored"};
  return run;
}

void expect_fits(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(display_width(line), kTableWidth) << line;
    EXPECT_THAT(line, Not(::testing::EndsWith(" ")));
    for (const char c : line) {
      EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20) << line;
    }
  }
}

TEST(RunTable, Golden) { expect_golden("run_table.txt", run_table(small_run())); }
TEST(RunTable, CsvGolden) { expect_golden("run.csv", runs_csv(std::vector{small_run()})); }
TEST(RunTable, JsonGolden) { expect_golden("run.json", run_json(small_run()).dump(1) + "\n"); }

TEST(Journal, LineGolden) {
  auto record = small_run().records.at(8);
  record.timeline.resize(2);
  expect_golden("journal.jsonl", synthetic::chained({header_json(synthetic::header({}), "run"),
                                                     record_line_json(record)}));
}

TEST(RunTable, FitsTheTerminalWhateverTheTexts) {
  expect_fits(run_table(synthetic::run({.seed = 1})));
  expect_fits(run_table(synthetic::run({.seed = 2, .hostile = true})));
  expect_fits(run_table(synthetic::run({.seed = 3, .nothing_measured = true})));
  auto run = small_run();
  for (auto& record : run.records) {
    record.case_id += std::string(300, 'x');
  }
  run.header.suite = std::string(300, 's');
  expect_fits(run_table(run));
}

// With line breaks and indents as single blanks.
std::string unwrapped(const std::string& text) {
  std::istringstream words(text);
  std::string all, word;
  while (words >> word) all += (all.empty() ? "" : " ") + word;
  return all;
}

TEST(RunTable, NamesWhatComputedAStep) {
  auto run = synthetic::run({.seed = 1, .collectives = false, .kernels = false, .steps = false});
  Record step = synthetic::step("tiny", std::vector<double>(8, 0.25), true);
  step.texts.emplace_back("gemm_engine", "cublaslt 13.1.0");
  step.texts.emplace_back("attention_engine", "cudnn 9.19.0");
  run.records = {step};
  const std::string words = unwrapped(run_table(run));
  EXPECT_THAT(words, HasSubstr("GEMMs by cublaslt 13.1.0, attention by cudnn 9.19.0"));
}

TEST(RunTable, SaysWhatWasNotMeasured) {
  const auto text = run_table(small_run());
  EXPECT_THAT(text, HasSubstr("step/gpt2-124m: not-measured"));
  EXPECT_THAT(text, HasSubstr("kernel/rope: failed: max relative error"));
  EXPECT_THAT(text, HasSubstr("17 of 1024 wrong"));
  EXPECT_THAT(text, HasSubstr("a not performance: single-gpu-timesliced\nb oversubscribed"));
}

TEST(RunJson, HasNoRawSamples) {
  const auto json = run_json(synthetic::run({.seed = 1}));
  for (const auto& record : json["records"]) {
    EXPECT_FALSE(record.contains("series"));
    EXPECT_FALSE(record.contains("timeline"));
  }
  EXPECT_EQ(json["missing"].size(), 1U);
}

// RFC 4180, read back.
std::vector<std::vector<std::string>> parse_csv(const std::string& text) {
  std::vector<std::vector<std::string>> rows(1);
  std::string field;
  bool inside = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (inside) {
      if (c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
        field += c;
        ++i;
      } else if (c == '"') {
        inside = false;
      } else {
        field += c;
      }
    } else if (c == '"') {
      inside = true;
    } else if (c == ',' || c == '\n') {
      rows.back().push_back(field);
      field.clear();
      if (c == '\n') {
        rows.emplace_back();
      }
    } else if (c != '\r') {
      field += c;
    }
  }
  rows.pop_back();
  return rows;
}

TEST(Csv, EveryRowHasEveryColumnAndTextsSurvive) {
  const auto run = synthetic::run({.seed = 2, .hostile = true});
  const auto rows = parse_csv(runs_csv(std::vector{run}));
  std::size_t metrics = 0;
  for (const auto& record : run.records) {
    metrics += std::max<std::size_t>(1, record.metrics.size());
  }
  ASSERT_EQ(rows.size(), 1 + metrics + run.missing().size());
  for (const auto& row : rows) {
    EXPECT_EQ(row.size(), rows.front().size());
  }
  EXPECT_EQ(rows[1][0], run.header.run_id);
  EXPECT_EQ(rows[1][7], run.records[0].labels[0]);
  EXPECT_EQ(std::stod(rows[1][10]), *run.records[0].metrics[0].value);
}

// Two repetitions of a step that differ by 2 %, and of the second one nothing else.
Run repeated_run() {
  Run run;
  run.header = synthetic::header({});
  run.header.repetitions = 2;
  for (const int repetition : {1, 2}) {
    Record record =
        synthetic::step("tiny", std::vector<double>(12, repetition == 1 ? 0.0100 : 0.0102), false);
    record.repetition = repetition;
    run.parts.push_back(std::move(record));
  }
  run.records = {merge_repetitions(run.parts)};
  run.header.cases = {run.records[0].case_id};
  return run;
}

TEST(RepeatedRun, TableShowsTheSpread) {
  const auto text = run_table(repeated_run());
  EXPECT_NE(text.find("Repetitions\n"), std::string::npos) << text;
  EXPECT_NE(text.find("2 of 2"), std::string::npos) << text;
  EXPECT_NE(text.find("1.4 %"), std::string::npos) << text;  // ln(1.02) / sqrt(2)
  EXPECT_NE(text.find("10.0 ms, 10.2 ms"), std::string::npos) << text;
  EXPECT_EQ(run_table(synthetic::run({.seed = 1})).find("Repetitions"), std::string::npos);
}

TEST(RepeatedRun, CsvHasRowsOfAllAndOfEach) {
  const auto run = repeated_run();
  const auto rows = parse_csv(runs_csv(std::vector{run}));
  ASSERT_EQ(rows.size(), 1 + 3 * run.records[0].metrics.size());
  const auto last = rows.front().size();
  EXPECT_EQ(rows.front()[last - 3], "repetition");
  EXPECT_EQ(rows[1][last - 3], "all");
  EXPECT_EQ(rows[1][last - 2], "2");
  EXPECT_NEAR(std::stod(rows[1][last - 1]), 0.0140, 1e-4);
  EXPECT_EQ(rows.back()[last - 3], "2");
}

TEST(RepeatedRun, JsonListsEachRepetition) {
  const auto json = run_json(repeated_run());
  const auto& record = json["records"][0];
  ASSERT_EQ(record["repetitions"].size(), 2U);
  EXPECT_EQ(record["repetitions"][1]["repetition"], 2);
  EXPECT_EQ(record["repetitions"][1]["median_s"], 0.0102);
  EXPECT_FALSE(record.contains("repetition"));
  EXPECT_EQ(json["run"]["repetitions"], 2);
}

TEST(TextTable, WidthCountsCodePoints) {
  EXPECT_EQ(display_width("±1 µs"), 5U);
  EXPECT_EQ(display_width("\xff\xfe"), 2U);  // invalid bytes count one each
  EXPECT_EQ(fit("abcdefghij", 5), "ab…ij");
  EXPECT_EQ(fit("äöüß", 4), "äöüß");
  EXPECT_EQ(fit("äöüßé", 4), "äö…é");
  EXPECT_EQ(fit("a\x1b[31mb", 20), "a [31mb");
  EXPECT_EQ(fit("a\xc2\x9b"
                "b",
                20),
            "a b");  // C1 control
  EXPECT_EQ(fit("abc", 0), "");
  TextTable table({{"name", Align::left}, {"±"}});
  table.add({"ä", "1"});
  table.add({"bcdefg", "23"});
  EXPECT_EQ(table.text(), "name     ±\nä        1\nbcdefg  23\n");
  EXPECT_THROW(table.add({"one"}), Error);
}

TEST(Wrapped, BreaksAtBlanksAndIndents) {
  EXPECT_EQ(wrapped("aa bb cc", 2, 6), "aa bb\n  cc\n");
  EXPECT_EQ(wrapped("abcdefghij", 0, 6), "abc…ij\n");
}

}  // namespace
}  // namespace stepmark
