// SPDX-License-Identifier: Apache-2.0
// What a history keeps of a run, as a run again.
#include "results/history/kept_runs.h"

#include <gtest/gtest.h>

#include <cmath>

#include "results/families/derive.h"
#include "results/history/point.h"
#include "results/record/common_facts.h"
#include "tests/unit/core/temp_folder.h"

namespace stepmark {
namespace {

Record all_reduce(double median) {
  Record out{.case_id = "collective/all_reduce/1MiB", .family = "collective"};
  out.numbers = {{"size_bytes", 1048576}, {"ranks", 8}};
  // A text that holds what separates facts.
  out.texts = {{"collective", "all_reduce"}, {"dtype", "fp32"}, {"op", "sum;dtype=odd"}};
  out.series = {{.name = "time_s", .unit = "s", .values = std::vector<double>(12, median)}};
  out.series[0].values[0] = 1.01 * median;
  derive(out);
  return out;
}

TEST(WorkOf, CanBeReadBack) {
  const Record record = all_reduce(1e-3);
  Record read{.case_id = record.case_id, .family = record.family};
  add_work(work_of(record), read);
  EXPECT_EQ(read.numbers, record.numbers);
  EXPECT_EQ(read.texts, record.texts);
  Record odd{.family = "collective"};
  for (const char* work : {"", ";", "=", "ranks", "size_bytes=", "size_bytes=1e;ranks=;", "x=1;"}) {
    add_work(work, odd);  // of a file that others may have written
  }
  EXPECT_EQ(odd.number("ranks"), std::nullopt);
}

// 1 MiB in 1 ms is 1.048576 GB/s, times 2 * 7 / 8 on the bus.
TEST(KeptRuns, HaveTheFiguresOfTheirMedians) {
  const TempFolder folder;
  History history(folder.file("h.db"), History::Open::create);
  stepmark::Run run{.path = "a.smk"};
  run.header.run_id = "one";
  run.header.started = "2026-12-05T02:00:00Z";
  run.header.ranks = 8;
  run.header.environment.facts = {
      {.section = "software", .name = "driver", .value = "550", .fingerprint = true}};
  run.records = {all_reduce(1e-3)};
  Record failed = all_reduce(1e-3);
  failed.case_id = "collective/all_reduce/wrong";
  failed.checks = {{.name = "exact", .passed = false}};
  run.records.push_back(failed);
  static_cast<void>(history.add(run, {.place = "c"}));

  const std::int64_t at = parse_utc("2026-12-05T02:00:00Z");
  EXPECT_TRUE(kept_runs(history, {.from = at + 1, .to = at + 9}).empty());
  EXPECT_TRUE(kept_runs(history, {.from = at - 9, .to = at}).empty());
  const auto runs = kept_runs(history, {.from = at, .to = at + 1});
  ASSERT_EQ(runs.size(), 1U);
  EXPECT_EQ(runs[0].header.run_id, "one");
  EXPECT_EQ(runs[0].header.environment.get("software", "driver"), "550");
  ASSERT_EQ(runs[0].records.size(), 2U);
  const Record& record = runs[0].records[0];
  EXPECT_EQ(record.started_unix_s, static_cast<double>(at));
  ASSERT_NE(record.metric("busbw"), nullptr);
  EXPECT_NEAR(record.metric("busbw")->value.value_or(0), 1.048576 * 2 * 7 / 8, 1e-12);
  const Metric* own = run.records[0].metric("busbw");
  EXPECT_EQ(record.metric("busbw")->value, own->value);
  EXPECT_EQ(record.metric("busbw")->lower, own->lower);
  EXPECT_EQ(record.metric("busbw")->upper, own->upper);
  ASSERT_EQ(runs[0].records[1].checks.size(), 1U);
  EXPECT_EQ(runs[0].records[1].checks[0].name, "exact");
  EXPECT_FALSE(runs[0].records[1].checks[0].passed);
}

}  // namespace
}  // namespace stepmark
