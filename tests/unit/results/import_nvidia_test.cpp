// SPDX-License-Identifier: Apache-2.0
// nvbandwidth and NVCRE.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "import_sample.h"

namespace stepmark {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(ImportNvbandwidth, MatricesOfText) {
  const Import run = import_sample("nvbandwidth.txt");
  EXPECT_EQ(run.code, ExitCode::kOk) << run.reason;
  EXPECT_THAT(run.remarks, IsEmpty());
  ASSERT_EQ(run.records.size(), 7U);  // 2 + 2 + 2 cells, 1 waived
  const Record& up = find(run, "kernel/nvbandwidth/host_to_device_memcpy_ce/row0.column1");
  EXPECT_NEAR(*up.metric("gbps")->value, 55.25, 1e-9);
  EXPECT_EQ(up.text("source_tool"), "nvbandwidth 0.8");
  EXPECT_EQ(up.number("source_line"), 15);
  EXPECT_THAT(up.labels, Contains(HasSubstr("time and bytes are those of 1 GB")));
  const Record& latency = find(run, "kernel/nvbandwidth/device_to_device_latency_sm/row1.column0");
  EXPECT_DOUBLE_EQ(latency.summary("time_s")->median, 704.1e-9);
  EXPECT_EQ(run.records[6].outcome, Outcome::skipped);
  EXPECT_EQ(run.header.environment.get("hardware", "accelerators"), "NVIDIA H100 80GB HBM3");
}

TEST(ImportNvbandwidth, MatricesOfJson) {
  const Import run = import_sample("nvbandwidth.json");
  EXPECT_EQ(run.code, ExitCode::kCheckFailed);  // a test case ended with an error
  ASSERT_EQ(run.records.size(), 4U);
  EXPECT_NEAR(*run.records[0].metric("gbps")->value, 55.1976, 1e-9);
  EXPECT_EQ(run.records[0].case_id, import_sample("nvbandwidth.txt").records[0].case_id);
  EXPECT_EQ(run.records[2].outcome, Outcome::skipped);
  EXPECT_EQ(run.records[3].outcome, Outcome::failed);
}

TEST(ImportNvbandwidth, SumsCutsAndNumbersThatAreNone) {
  ImportSource source = sample("nvbandwidth.txt");
  replace_all(source.content, "SUM host_to_device_memcpy_ce 110.45",
              "SUM host_to_device_memcpy_ce 99.9");
  EXPECT_THAT(import_files(std::vector{source}).remarks, Contains(HasSubstr("the sum 99.9")));
  source = sample("nvbandwidth.txt");
  replace_all(source.content, " 55.25", " -55.2");
  EXPECT_EQ(import_files(std::vector{source}).records[1].outcome, Outcome::not_measured);
  source = sample("nvbandwidth.txt");
  source.content.resize(source.content.find("SUM device_to_device_memcpy_read_ce"));
  const Import cut = import_files(std::vector{source});
  EXPECT_EQ(cut.code, ExitCode::kNotMeasured);
  EXPECT_THAT(cut.remarks, Contains(HasSubstr("no SUM line")));
}

TEST(ImportNvcre, ReportsOfBandwidthAndTraining) {
  const Import run = import_sample("nvcre.json");
  ASSERT_EQ(run.records.size(), 4U);
  const Record& reduce =
      find(run, "collective/all_reduce/unknown/sum/16GiB/world16/nodes4/mnnvl-enabled");
  EXPECT_EQ(reduce.number("ranks"), 16);  // 882.51 / 470.68 is 2 x 15 / 16
  EXPECT_THAT(reduce.labels, Contains("ranks follow from busBW over algBW"));
  EXPECT_NEAR(*reduce.metric("algbw")->value, 470.68, 1e-6);
  EXPECT_NEAR(*reduce.metric("busbw")->value, 882.525, 1e-6);
  EXPECT_EQ(reduce.summary("time_s")->count, 65);
  EXPECT_EQ(reduce.text("transport"), "Socket");
  const Record& step = find(run, "step/nvcre/nemotron4-15b/nodes4/rack-a");
  EXPECT_DOUBLE_EQ(step.summary("time_s")->median, 1.30);
  EXPECT_EQ(step.number("told_goodput"), 0.68);
  EXPECT_EQ(step.number("told_tflops_per_gpu"), 1186.5);
  EXPECT_FALSE(step.metric("tokens_per_s")->value);
  EXPECT_THAT(run.remarks, Contains(HasSubstr("PulseTest on node 3")));
  EXPECT_THAT(read_back(run).warnings, IsEmpty());
}

TEST(ImportNvcre, ArraysSizesAndUnits) {
  ImportSource source = sample("nvcre.json");
  source.content = "[" + source.content + "]";
  EXPECT_EQ(import_files(std::vector{source}).records.size(), 4U);
  source = sample("nvcre.json");
  replace_all(source.content, "470.68 GB/s", "470.68 Gb/s");
  EXPECT_EQ(import_files(std::vector{source}).records[1].outcome, Outcome::not_measured);
  replace_all(source.content, "\"16 GB\"", "\"lots\"");
  EXPECT_THAT(import_error({source}), HasSubstr("a size of lots: expected one such as '16 GB'"));
}

}  // namespace
}  // namespace stepmark
