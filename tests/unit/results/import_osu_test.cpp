// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "import_sample.h"

namespace stepmark {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(ImportOsu, CollectivesCountSizesAsWeDo) {
  const Import run = import_sample("osu-collectives.txt");
  EXPECT_EQ(run.code, ExitCode::kOk) << run.reason;
  ASSERT_EQ(run.records.size(), 6U);
  const Record& reduce = find(run, "collective/all_reduce/fp32/sum/64KiB/out-of-place/world8");
  EXPECT_DOUBLE_EQ(reduce.summary("time_s")->median, 41.20e-6);
  EXPECT_EQ(reduce.summary("time_s")->count, 1000);
  EXPECT_EQ(reduce.number("slowest_rank_s"), 43.77e-6);
  EXPECT_NEAR(*reduce.metric("busbw")->value, 65536 / 41.20e-6 / 1e9 * 1.75, 1e-9);
  EXPECT_THAT(reduce.labels, Not(Contains("repeats not stated")));
  // A table's size is that of one peer: 4 ranks exchange 4 KiB in all.
  const Record& exchange = find(run, "collective/all_to_all/int8/4KiB/out-of-place/world4");
  EXPECT_NEAR(*exchange.metric("algbw")->value, 4096 / 3.30e-6 / 1e9, 1e-9);
  EXPECT_EQ(exchange.text("source_tool"), "OSU 5.9");
  EXPECT_THAT(exchange.text("not_stated"), HasSubstr("OSU's default"));
  EXPECT_DOUBLE_EQ(find(run, "collective/barrier/world4").summary("time_s")->median, 1.72e-6);
}

TEST(ImportOsu, PairsOfRanksAreNoCasesOfOurs) {
  const Import run = import_sample("osu-pairs.txt");
  EXPECT_EQ(run.code, ExitCode::kOk) << run.reason;
  EXPECT_THAT(run.remarks, ElementsAre(HasSubstr("0 bytes"), HasSubstr("Multiple Bandwidth")));
  ASSERT_EQ(run.records.size(), 5U);
  const Record& window = find(run, "collective/send_recv/int8/4MiB/out-of-place/world2/osu_bw");
  EXPECT_NEAR(*window.metric("algbw")->value, 23.0, 1e-9);
  const Record& both = find(run, "collective/exchange/int8/4MiB/out-of-place/world2/osu_bibw");
  EXPECT_NEAR(*both.metric("busbw")->value, 22.0, 1e-9);  // per direction
  EXPECT_EQ(both.text("library"), "MPI-CUDA");
  EXPECT_DOUBLE_EQ(find(run, "collective/send_recv/int8/8B/out-of-place/world2/osu_latency")
                       .summary("time_s")
                       ->median,
                   1.25e-6);
}

TEST(ImportOsu, RanksAreAskedForWithoutACommand) {
  ImportSource source = sample("osu-collectives.txt");
  replace_all(source.content, "$ mpirun -np 8 ./osu_allreduce -f -m 4:1048576\n", "");
  const std::string error = import_error({source});
  EXPECT_THAT(error, HasSubstr("osu-collectives.txt:5: OSU's tables do not say how many ranks"));
  replace_all(source.content, "$ mpirun -np 4", "$ ");
  const Import run = import_files(std::vector{source}, {.ranks = 32});
  EXPECT_EQ(run.records[0].number("ranks"), 32);
  EXPECT_THAT(import_error({sample("osu-collectives.txt")}, {.ranks = 5}), HasSubstr("8 ranks"));
}

TEST(ImportOsu, ValidationAndNumbersThatAreNone) {
  ImportSource source = sample("osu-pairs.txt");
  replace_all(source.content, "Bandwidth (MB/s)\n", "Bandwidth (MB/s)        Validation\n");
  replace_all(source.content, "23000.00\n", "23000.00              Fail\n");
  replace_all(source.content, "5.10\n", "5.10              Pass\n");
  replace_all(source.content, "190.50", "   nan");
  const Import run = import_files(std::vector{source});
  EXPECT_EQ(run.code, ExitCode::kCheckFailed);
  EXPECT_EQ(find(run, "collective/send_recv/int8/4MiB/out-of-place/world2/osu_bw").outcome,
            Outcome::failed);
  const Record& none = find(run, "collective/send_recv/int8/4MiB/out-of-place/world2/osu_latency");
  EXPECT_EQ(none.outcome, Outcome::not_measured);
  EXPECT_THAT(none.reason, HasSubstr("'nan' is no positive number"));
  EXPECT_THAT(none.metrics, IsEmpty());
}

}  // namespace
}  // namespace stepmark
