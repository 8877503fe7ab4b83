// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "import_sample.h"

namespace stepmark {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

TEST(ImportGoogleBenchmark, RepetitionsAggregatesErrorsAndSkips) {
  const Import run = import_sample("google-benchmark.json");
  EXPECT_EQ(run.code, ExitCode::kCheckFailed);  // an error occurred
  ASSERT_EQ(run.records.size(), 4U);
  const Record& copy = find(run, "kernel/google-benchmark/BM_Copy/4096/real_time");
  const Summary& time = *copy.summary("time_s");
  EXPECT_DOUBLE_EQ(time.median, 210e-9);
  EXPECT_EQ(time.count, 3);
  EXPECT_DOUBLE_EQ(time.min, 200e-9);
  EXPECT_DOUBLE_EQ(time.max, 220e-9);
  EXPECT_TRUE(std::isnan(time.lower));
  EXPECT_NEAR(*copy.metric("gbps")->value, 4096 / 210e-9 / 1e9, 1e-6);
  EXPECT_FALSE(copy.metric("gflops")->value);
  EXPECT_THAT(copy.labels, Contains("the benchmark library is a debug build"));
  EXPECT_THAT(copy.labels, Contains("CPU frequency scaling was on"));
  EXPECT_EQ(copy.text("source_tool"), "Google Benchmark 1.9.1");
  EXPECT_EQ(copy.number("source_line"), 16);
  const Record& sort = find(run, "kernel/google-benchmark/BM_Sort/1024");
  EXPECT_DOUBLE_EQ(sort.summary("time_s")->median, 3.25e-6);
  EXPECT_DOUBLE_EQ(sort.summary("time_s")->mean, 3.5e-6);
  EXPECT_EQ(sort.summary("time_s")->count, 5);
  EXPECT_EQ(find(run, "kernel/google-benchmark/BM_Open").outcome, Outcome::failed);
  EXPECT_EQ(find(run, "kernel/google-benchmark/BM_Open").reason, "no such device");
  EXPECT_EQ(find(run, "kernel/google-benchmark/BM_Far").outcome, Outcome::skipped);
  EXPECT_THAT(read_back(run).warnings, ::testing::IsEmpty());
}

TEST(ImportGoogleBenchmark, OldFilesWithoutRunTypes) {
  ImportSource source = sample("google-benchmark.json");
  for (const char* const kind : {"iteration", "aggregate"}) {
    replace_all(source.content, std::string("\"run_type\": \"") + kind + "\",", "");
  }
  replace_all(source.content, "\"run_name\"", "\"unknown\"");
  const Import run = import_files(std::vector{source});
  EXPECT_EQ(find(run, "kernel/google-benchmark/BM_Copy/4096/real_time").summary("time_s")->count,
            3);
  EXPECT_DOUBLE_EQ(find(run, "kernel/google-benchmark/BM_Sort/1024").summary("time_s")->median,
                   3.25e-6);
}

TEST(ImportGoogleBenchmark, UnitsAndNumbersThatAreNone) {
  ImportSource source = sample("google-benchmark.json");
  replace_all(source.content, "\"time_unit\": \"us\"", "\"time_unit\": \"fortnights\"");
  EXPECT_THAT(import_error({source}), HasSubstr("time_unit fortnights: expected ns, us, ms or s"));
  EXPECT_THAT(import_error({source}), HasSubstr("google-benchmark.json:41: "));
  source = sample("google-benchmark.json");
  replace_all(source.content, "\"real_time\": 2", "\"real_time\": -2");
  const Import run = import_files(std::vector{source});
  const Record& copy = find(run, "kernel/google-benchmark/BM_Copy/4096/real_time");
  EXPECT_EQ(copy.outcome, Outcome::not_measured);
  EXPECT_THAT(copy.reason, HasSubstr("no positive number"));
}

TEST(ImportGoogleBenchmark, WhatIsNoJsonSaysWhere) {
  ImportSource source = sample("google-benchmark.json");
  replace_all(source.content, "\"num_cpus\": 16,", "\"num_cpus\": sixteen,");
  EXPECT_THAT(import_error({source}), HasSubstr("google-benchmark.json:6: no JSON here"));
  source = sample("google-benchmark.json");
  source.content.resize(source.content.find("BM_Sort/1024_median"));
  const Import cut = import_files(std::vector{source});
  EXPECT_EQ(cut.code, ExitCode::kNotMeasured);
  EXPECT_DOUBLE_EQ(cut.records[1].summary("time_s")->median, 3.5e-6);  // the mean is what is left
}

}  // namespace
}  // namespace stepmark
