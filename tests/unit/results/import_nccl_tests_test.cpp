// SPDX-License-Identifier: Apache-2.0
// Outputs of nccl-tests, old and new, whole and not, as records.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "import_sample.h"
#include "results/families/read_journal.h"
#include "results/import/source_facts.h"
#include "results/record/journal_lines.h"
#include "results/record/json_text.h"
#include "synthetic.h"

namespace stepmark {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const std::string kNew = "nccl-tests-2.17-all_reduce.log";

TEST(ImportNcclTests, NewColumnsBecomeOurCases) {
  const Import run = import_sample(kNew);
  EXPECT_EQ(run.code, ExitCode::kOk) << run.reason;
  EXPECT_THAT(run.remarks, IsEmpty());
  ASSERT_EQ(run.records.size(), 6U);
  const Record& first = find(run, "collective/all_reduce/fp32/sum/1MiB/out-of-place/world16");
  EXPECT_EQ(first.provenance, Provenance::imported);
  EXPECT_TRUE(first.is_summary_only());
  EXPECT_EQ(first.text("source_file"), kNew);
  EXPECT_EQ(first.text("source_tool"), "nccl-tests 2.17.6");
  EXPECT_EQ(first.text("source_blake2b").size(), 64U);
  EXPECT_EQ(first.number("source_line"), 27);
  EXPECT_THAT(first.labels,
              ElementsAre("time: mean of 20 calls and of all ranks", std::string(kNoSamples)));
  // 18 us and 1 MiB at 230 GB/s, printed with two decimals.
  const double time_s = 22.56e-6;
  EXPECT_NEAR(first.summary("time_s")->median, time_s, 1e-15);
  EXPECT_EQ(first.summary("time_s")->count, 20);
  EXPECT_NEAR(*first.metric("algbw")->value, 1048576 / time_s / 1e9, 1e-9);
  EXPECT_NEAR(*first.metric("busbw")->value, 1048576 / time_s / 1e9 * 1.875, 1e-9);
  EXPECT_FALSE(first.metric("busbw")->lower);
  ASSERT_EQ(first.checks.size(), 1U);
  EXPECT_TRUE(first.checks[0].passed);
  EXPECT_EQ(run.header.ranks, 16);
  EXPECT_EQ(run.header.environment.get("software", "nccl"), "2.25.1");
  EXPECT_EQ(run.header.environment.get("hardware", "accelerators"), "16 x NVIDIA H100 80GB HBM3");
}

TEST(ImportNcclTests, OldColumnsTakeTheNameFromTheFile) {
  const Import run = import_sample("nccl-tests-2.8-all_gather.log");
  ASSERT_EQ(run.records.size(), 4U);
  const Record& one = find(run, "collective/all_gather/fp32/4MiB/in-place/world8");
  EXPECT_NEAR(*one.metric("busbw")->value / *one.metric("algbw")->value, 0.875, 1e-12);
  EXPECT_THAT(one.labels, Contains(HasSubstr("maximum error")));
  EXPECT_THAT(one.checks, IsEmpty());
}

TEST(ImportNcclTests, ANameIsAskedForWhereNothingHasIt) {
  ImportSource source = sample("nccl-tests-2.8-all_gather.log");
  source.path = "/logs/run7.log";
  EXPECT_THAT(import_error({source}), HasSubstr("/logs/run7.log:1: neither the log nor"));
  EXPECT_THAT(import_error({source}), HasSubstr("--collective NAME"));
  const Import run = import_files(std::vector{source}, {.collective = "allgather"});
  EXPECT_EQ(run.records[0].text("collective"), "all_gather");
  EXPECT_THAT(import_error({source}, {.collective = "all_gahter"}), HasSubstr("expected one of"));
  // A wrong one is seen in the file's own bandwidths.
  const Import wrong = import_files(std::vector{source}, {.collective = "all_reduce"});
  EXPECT_THAT(wrong.records[3].labels, Contains(HasSubstr("the file's busbw")));
  EXPECT_THAT(import_error({sample(kNew)}, {.collective = "reduce"}),
              HasSubstr("the file says all_reduce"));
}

TEST(ImportNcclTests, CommandLinesNameTheTableBelow) {
  std::string text = sample("nccl-tests-2.8-all_gather.log").content;
  const std::string reduce = "$ mpirun -np 8 ./build/reduce_scatter_perf -b 4K\n" + text;
  const std::string both = "$ ./build/all_gather_perf -g 8\n" + text + reduce;
  const Import run = import_files(std::vector{ImportSource{"x.log", both}});
  ASSERT_EQ(run.records.size(), 8U);
  EXPECT_EQ(run.records[0].text("collective"), "all_gather");
  EXPECT_EQ(run.records[4].text("collective"), "reduce_scatter");
}

TEST(ImportNcclTests, SeveralTestsPrefixesNoiseAndTimestamps) {
  const Import run = import_sample("nccl-tests-several.log");
  EXPECT_THAT(run.remarks, IsEmpty());
  ASSERT_EQ(run.records.size(), 10U);
  const Record& all = find(run, "collective/all_to_all/fp32/4MiB/out-of-place/world16");
  EXPECT_THAT(all.labels, Not(Contains(HasSubstr("the file's"))));
  EXPECT_EQ(find(run, "collective/send_recv/fp32/16MiB/out-of-place/world16").number("iterations"),
            50);
}

// As launchers, containers and terminals hand a log on.
TEST(ImportNcclTests, WhatOthersPutAroundLinesIsDropped) {
  const std::string plain = sample(kNew).content;
  for (const char* const around :
       {"[1,0]<stdout>:%", "[prterun-host-7@1,0]<stderr>: %", "Sun Nov 29 13:24:45 2026<stdout>:%",
        "Sun Nov 29 13:24:45 2026[1,0]<stdout>:%", "0: %", " 0: %",
        "2026-03-01T10:00:00.123456789Z %", "2026-03-01T10:00:00.123456789+01:00 stdout F %",
        "[pod/launcher-x7/mpi] %", "[pod/launcher-x7/mpi] 2026-03-01T10:00:00Z %",
        "Mar  1 10:00:00 node17 slurmstepd[123]: %", "\x1b[32m%\x1b[0m",
        "\x1b[0;1m%\x1b[K\x1b[m"}) {
    const std::string_view frame = around;
    std::string text;
    for (std::size_t at = 0; at < plain.size();) {
      const auto end = plain.find('\n', at);
      const auto place = frame.find('%');
      text += frame.substr(0, place);
      text += std::string_view(plain).substr(at, end - at);
      text += frame.substr(place + 1);
      text += '\n';
      at = end + 1;
    }
    const Import run = import_files(std::vector{ImportSource{"all.log", text}});
    EXPECT_EQ(run.records.size(), 6U) << around;
    EXPECT_THAT(run.remarks, IsEmpty()) << around;
    EXPECT_EQ(run.code, ExitCode::kOk) << around << run.reason;
  }
}

TEST(ImportNcclTests, ColumnsAreFoundByTheirNames) {
  std::string text = sample(kNew).content;
  replace_all(text, "#wrong     time", "#wrong   i_min   i_max   i_p99   i_cv%     time");
  replace_all(text, "      0\n", "      0   9.00   99.00   80.00    3.10\n");
  replace_all(text, "      0    ", "      0   9.00   99.00   80.00    3.10    ");
  replace_all(text, "#wrong \n", "#wrong   i_min   i_max   i_p99   i_cv%\n");
  const Import run = import_files(std::vector{ImportSource{"all.log", text}});
  ASSERT_EQ(run.records.size(), 6U);
  const Summary& time = *run.records[1].summary("time_s");
  EXPECT_DOUBLE_EQ(time.min, 9e-6);
  EXPECT_DOUBLE_EQ(time.max, 99e-6);
  EXPECT_DOUBLE_EQ(time.p99, 80e-6);
  EXPECT_EQ(run.records[1].number("told_cv_percent"), 3.1);
  replace_all(text, "algbw", "mystery");
  EXPECT_THAT(import_error({{"all.log", text}}), HasSubstr("all.log"));
}

TEST(ImportNcclTests, TimesInAnotherUnitAreRefused) {
  std::string text = sample(kNew).content;
  replace_all(text, "(us)", "(ms)");
  EXPECT_THAT(import_error({{"all.log", text}}), HasSubstr("a column in (ms): expected"));
}

TEST(ImportNcclTests, CpuTimeIsNoTimeOfTheCollective) {
  std::string text = sample(kNew).content;
  replace_all(text, "   time   algbw", "cputime   algbw");
  const Import run = import_files(std::vector{ImportSource{"all.log", text}});
  EXPECT_EQ(run.code, ExitCode::kNotMeasured);
  const Record& large = run.records[4];  // 1 GiB: algbw has five digits
  EXPECT_EQ(large.outcome, Outcome::ok);
  EXPECT_THAT(large.labels, Contains(HasSubstr("time from algbw")));
  EXPECT_NEAR(large.summary("time_s")->median, 1073741824 / 229.12e9, 1e-6);
  EXPECT_EQ(run.records[0].outcome, Outcome::not_measured);  // 1 KiB: 0.06 GB/s
  EXPECT_THAT(run.records[0].reason, HasSubstr("the CPU's time"));
}

TEST(ImportNcclTests, OneRankRunsAreRefusedWithTheirNumber) {
  const std::string error = import_error({sample("nccl-tests-singletons.log")});
  EXPECT_THAT(error, HasSubstr("nccl-tests-singletons.log:1: 4 one-rank runs came instead of one "
                               "run of 4 ranks"));
  EXPECT_THAT(error, HasSubstr("MPI=1"));
}

TEST(ImportNcclTests, AMixOfTwoRunsIsRefused) {
  std::string text = sample(kNew).content;
  const auto at = text.find("#  Rank  1");
  text.insert(at, text.substr(at, text.find('\n', at) + 1 - at));
  EXPECT_THAT(import_error({{"all.log", text}}), HasSubstr("17 lines of devices for 16 ranks"));
}

TEST(ImportNcclTests, WrongDataFailsItsCase) {
  std::string text = sample(kNew).content;
  const auto row = text.find("     1048576  ");
  text.replace(text.find("      0  ", row), 7, "     12");
  replace_all(text, "values : 0 OK", "values : 12 FAILED");
  const Import run = import_files(std::vector{ImportSource{"all.log", text}});
  EXPECT_EQ(run.code, ExitCode::kCheckFailed);
  EXPECT_EQ(run.records[2].outcome, Outcome::failed);
  EXPECT_THAT(run.records[2].reason, HasSubstr("12 wrong elements"));
  EXPECT_EQ(run.records[3].outcome, Outcome::ok);
  // Old versions count for the whole test only.
  text = sample("nccl-tests-2.8-all_gather.log").content;
  replace_all(text, "values : 0 OK", "values : 3 FAILED");
  for (const Record& record : import_files(std::vector{ImportSource{"all_gather", text}}).records) {
    EXPECT_EQ(record.outcome, Outcome::failed);
  }
}

TEST(ImportNcclTests, UncheckedIsSaid) {
  std::string text = sample(kNew).content;
  replace_all(text, "      0  ", "    N/A  ");
  replace_all(text, "      0\n", "    N/A\n");
  const Import run = import_files(std::vector{ImportSource{"all.log", text}});
  EXPECT_EQ(run.code, ExitCode::kOk);
  EXPECT_THAT(run.records[0].checks, IsEmpty());
  EXPECT_THAT(run.records[0].labels, Contains("not checked: the file says N/A"));
}

TEST(ImportNcclTests, ACutFileIsIncomplete) {
  const std::string whole = sample(kNew).content;
  const std::string text = whole.substr(0, whole.find("# Out of bounds"));
  const Import run = import_files(std::vector{ImportSource{"all.log", text}});
  EXPECT_EQ(run.code, ExitCode::kNotMeasured);
  EXPECT_THAT(run.reason, HasSubstr("cut: all.log"));
  EXPECT_THAT(run.remarks, Contains(HasSubstr("no footer")));
  EXPECT_THAT(run.records[0].labels, Contains("from a file that was cut"));
  // Within a row: its begin says which case has no time.
  const Import within =
      import_files(std::vector{ImportSource{"all.log", text.substr(0, text.size() - 40)}});
  ASSERT_EQ(within.records.size(), 6U);
  EXPECT_EQ(within.records[5].outcome, Outcome::not_measured);
  EXPECT_THAT(within.records[5].reason, HasSubstr("line 28: the file ends within the row"));
}

TEST(ImportNcclTests, OutputWithinARowCostsTheRowAlone) {
  std::string text = sample(kNew).content;
  const auto row = text.find("     1048576  ");
  text.insert(row + 50, " node-01:7:7 [1] NCCL INFO Channel 00\n");
  const Import run = import_files(std::vector{ImportSource{"all.log", text}});
  ASSERT_EQ(run.records.size(), 6U);
  EXPECT_EQ(run.records[2].outcome, Outcome::not_measured);
  EXPECT_THAT(run.records[2].reason, HasSubstr("the row is broken"));
  EXPECT_EQ(run.records[4].outcome, Outcome::ok);
}

TEST(ImportNcclTests, NumbersThatAreNoneGiveNoTime) {
  for (const char* const hostile : {"    nan", "    inf", " 1e9999", "  -3.14", "   0.00"}) {
    std::string text = sample(kNew).content;
    replace_all(text, "  22.56", hostile);
    const Import run = import_files(std::vector{ImportSource{"all.log", text}});
    ASSERT_EQ(run.records.size(), 6U) << hostile;
    EXPECT_EQ(run.records[2].outcome, Outcome::not_measured) << hostile;
    EXPECT_THAT(run.records[2].metrics, IsEmpty()) << hostile;
    EXPECT_EQ(run.code, ExitCode::kNotMeasured) << hostile;
  }
}

TEST(ImportNcclTests, BandwidthsThatContradictTheTimeAreRemarked) {
  std::string text = sample(kNew).content;
  replace_all(text, "  22.56", "  25.56");
  const Import run = import_files(std::vector{ImportSource{"all.log", text}});
  EXPECT_THAT(run.records[2].labels,
              Contains(HasSubstr("the file's algbw 46.48 GB/s is not size")));
  EXPECT_THAT(run.records[2].labels, Contains(HasSubstr("the file's busbw")));
  EXPECT_THAT(run.records[3].labels, Not(Contains(HasSubstr("the file's"))));
  text = sample(kNew).content;
  replace_all(text, "Avg bus bandwidth    : ", "Avg bus bandwidth    : 9");
  EXPECT_THAT(import_files(std::vector{ImportSource{"all.log", text}}).remarks,
              Contains(HasSubstr("is not that of its rows")));
}

TEST(ImportNcclTests, RanksAreAskedForWhereTheListIsMissing) {
  std::string text = sample(kNew).content;
  for (auto at = text.find("#  Rank"); at != std::string::npos; at = text.find("#  Rank")) {
    text.erase(at, text.find('\n', at) + 1 - at);
  }
  EXPECT_THAT(import_error({{"all.log", text}}), HasSubstr("--ranks N"));
  const Import run = import_files(std::vector{ImportSource{"all.log", text}}, {.ranks = 16});
  EXPECT_EQ(run.records[0].number("ranks"), 16);
  EXPECT_THAT(import_error({sample(kNew)}, {.ranks = 8}), HasSubstr("the file lists 16 ranks"));
}

TEST(ImportNcclTests, JsonWithoutItsEnvironment) {
  const Import run = import_sample("nccl-tests-v3.json");
  EXPECT_EQ(run.code, ExitCode::kOk) << run.reason;
  EXPECT_THAT(run.remarks, IsEmpty());  // an empty error is none
  ASSERT_EQ(run.records.size(), 4U);
  const Record& one = find(run, "collective/all_reduce/bf16/sum/1MiB/out-of-place/world8");
  EXPECT_THAT(one.labels,
              ElementsAre("time: mean of 20 calls and of all ranks", std::string(kNoSamples)));
  EXPECT_GT(one.summary("time_s")->p99, one.summary("time_s")->p95);
  EXPECT_GT(one.number("source_line"), 1);
  for (const std::string& line : lines_of_journal(run)) {
    EXPECT_THAT(line, Not(HasSubstr("do-not-keep-me")));
  }
}

TEST(ImportNcclTests, JsonOfEarlierVersions) {
  std::string text = sample("nccl-tests-v3.json").content;
  replace_all(text, "average_bus_bandwidth\": {\n  \"bandwidth",
              "average_bus_bandwidith\": {\n  \"bandwidith");
  replace_all(text, "\"nwrong\": 0.0", "\"nwrong\": null");
  const Import run = import_files(std::vector{ImportSource{"x.json", text}});
  EXPECT_EQ(run.code, ExitCode::kOk);
  EXPECT_THAT(run.records[0].labels, Contains(HasSubstr("not checked")));
  // An early error left the file open: what is whole is read.
  const Import cut = import_files(
      std::vector{ImportSource{"x.json", text.substr(0, text.find("\"out_of_bounds\""))}});
  EXPECT_EQ(cut.code, ExitCode::kNotMeasured);
  EXPECT_EQ(cut.records.size(), 4U);
  const auto second = text.find("\"size\": 67108864");
  const Import half =
      import_files(std::vector{ImportSource{"x.json", text.substr(0, second + 300)}});
  EXPECT_EQ(half.code, ExitCode::kNotMeasured);
  EXPECT_GE(half.records.size(), 2U);
}

TEST(ImportNcclTests, JsonWithWrongDataOrNoNumbers) {
  std::string text = sample("nccl-tests-v3.json").content;
  replace_all(text, "\"count\": 0,", "\"count\": 7,");
  for (const Record& record : import_files(std::vector{ImportSource{"x.json", text}}).records) {
    EXPECT_EQ(record.outcome, Outcome::failed);
    EXPECT_THAT(record.metrics, IsEmpty());
  }
  text = sample("nccl-tests-v3.json").content;
  const auto at = text.find("\"time\": ") + 8;
  text.replace(at, text.find(',', at) - at, "\"nan\"");
  const Import run = import_files(std::vector{ImportSource{"x.json", text}});
  EXPECT_THAT(run.records[0].reason, HasSubstr("the time is 'nan'"));
}

TEST(ImportNcclTests, SeveralFilesOfOneCaseAreItsRepetitions) {
  const ImportSource one = sample(kNew);
  ImportSource two = one;
  two.path = "second.log";
  replace_all(two.content, "  22.56", "  22.60");
  const Import run = import_files(std::vector{one, two});
  ASSERT_EQ(run.records.size(), 12U);
  EXPECT_EQ(run.header.cases.size(), 6U);
  EXPECT_EQ(run.records[8].repetition, 2);
  EXPECT_NE(run.header.run_id, import_files(std::vector{one}).header.run_id);
  EXPECT_EQ(import_files(std::vector{one}).header.run_id, import_sample(kNew).header.run_id);
}

TEST(ImportNcclTests, JournalsReadBackAsWritten) {
  for (const char* const name : {"nccl-tests-2.17-all_reduce.log", "nccl-tests-2.8-all_gather.log",
                                 "nccl-tests-several.log", "nccl-tests-v3.json"}) {
    const Import run = import_sample(name);
    const stepmark::Run back = read_back(run);
    EXPECT_THAT(back.warnings, IsEmpty()) << name;
    ASSERT_EQ(back.records.size(), run.records.size());
    for (std::size_t i = 0; i < run.records.size(); ++i) {
      EXPECT_EQ(to_json(back.records[i]), to_json(run.records[i])) << name;
    }
  }
}

TEST(Import, AFileOfNoKnownToolNamesThemAll) {
  const std::string error = import_error({{"notes.txt", "hello\n"}});
  EXPECT_THAT(error, HasSubstr("notes.txt: no output of a tool that is known here"));
  for (const std::string& format : import_formats()) EXPECT_THAT(error, HasSubstr(format));
  EXPECT_THAT(import_error({{"notes.txt", "hello\n"}}, {.format = "nccl-test"}),
              HasSubstr("did you mean 'nccl-tests'"));
  EXPECT_THAT(import_error({{"notes.txt", "hello\n"}}, {.format = "nccl-tests"}),
              HasSubstr("no table of nccl-tests"));
}

}  // namespace
}  // namespace stepmark
