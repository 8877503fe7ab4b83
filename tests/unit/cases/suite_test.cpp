// SPDX-License-Identifier: Apache-2.0
// Every shipped suite reads, and a mistake in one is placed and explained.
#include "harness/cases/suite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "harness/cases/families/collective.h"
#include "harness/cases/families/step.h"
#include "harness/cases/family.h"
#include "results/families/family.h"
#include "tests/unit/spec/yaml_files.h"

namespace stepmark {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

TEST(ShippedFiles, EverySuiteReadsAndNamesShippedWorkloads) {
  for (const fs::path& file : yaml_files("suites")) {
    const Suite suite = read_suite(file);
    EXPECT_EQ(suite.name, file.stem());
    for (const SuiteEntry& entry : suite.entries) {
      const auto* step = entry.as<StepEntry>();
      if (step == nullptr) continue;
      const Workload workload =
          read_workload(fs::path(STEPMARK_CONFIGS) / "workloads" / (step->workload + ".yaml"));
      for (const std::int64_t world : {1, 2, 4}) {
        const bool some_legal =
            std::any_of(step->plans.begin(), step->plans.end(), [&](const std::string& text) {
              Plan plan = parse_plan(text, workload.plan);
              if (plan.dp == 0) plan.dp = std::max<std::int64_t>(1, world / plan.tp);
              if (plan.seq == 0) plan.seq = workload.model.max_seq;
              return !why_illegal(plan, workload.model, world);
            });
        EXPECT_TRUE(some_legal) << file << " " << step->workload << " on " << world << " ranks";
      }
    }
  }
}

class SuiteMistakes : public YamlMistakes {};

TEST_F(SuiteMistakes, UnknownKeysAndNamesOfASuite) {
  const std::string head = "suite: s\ndescription: d\ncases:\n  - family: ";
  EXPECT_EQ(error_of(head + "step\n    workload: w\n", read_suite), "no error");
  EXPECT_THAT(error_of(head + "step\n    workload: w\n    plans: x\n", read_suite),
              AllOf(HasSubstr(":6:5:"), HasSubstr("'plan'")));
  EXPECT_THAT(error_of(head + "stepp\n", read_suite),
              AllOf(HasSubstr(":4:13:"), HasSubstr("step")));
  EXPECT_THAT(error_of(head + "kernel\n    ops: [gem]\n", read_suite),
              AllOf(HasSubstr(":5:5:"), HasSubstr("gemm")));
  EXPECT_THAT(error_of(head + "collective\n    collectives: [all_reduc]\n", read_suite),
              AllOf(HasSubstr(":5:5:"), HasSubstr("all_reduce")));
  EXPECT_THAT(
      error_of(head + "collective\n    collectives: [all_reduce]\n    min: 4KiB\n    max: 1\n",
               read_suite),
      AllOf(HasSubstr(":7:5:"), HasSubstr("below min")));
  EXPECT_THAT(error_of(head + "step\n    workload: w\n    plan: [\"tp=2,dq=1\"]\n", read_suite),
              AllOf(HasSubstr(":6:5:"), HasSubstr("'dp'")));
  EXPECT_THAT(error_of("suite: s\ndescription: d\nbudjet: 2m\ncases: []\n", read_suite),
              HasSubstr(":4:"));
  EXPECT_THAT(error_of("suite: s\ndescription: d\nbudget: soon\n", read_suite), HasSubstr(":3:1:"));
}

TEST_F(SuiteMistakes, GroupsAndOverlapsOfASuite) {
  const std::string groups =
      "suite: s\ndescription: d\ncases:\n  - family: groups\n    plan: [\"tp=2\"]\n    traffic:\n"
      "      tp: {op: all_reduce, bytes: 4MiB}\n";
  EXPECT_EQ(error_of(groups, read_suite), "no error");
  EXPECT_EQ(error_of(groups + "      cp: {op: send_recv, bytes: 1KiB}\n", read_suite), "no error");
  EXPECT_THAT(error_of(groups + "      ep: {op: send_recv, bytes: 1}\n", read_suite),
              HasSubstr(":8:7: "));
  EXPECT_THAT(error_of(groups + "      dp: {op: barrier, bytes: 1}\n", read_suite),
              AllOf(HasSubstr(":8:"), HasSubstr("reduce_scatter")));
  EXPECT_THAT(error_of(groups + "      dp: {op: broadcast, bytes: 0}\n", read_suite),
              AllOf(HasSubstr(":8:"), HasSubstr("positive")));
  EXPECT_THAT(error_of(groups + "      dp: {op: broadcast, byte: 1}\n", read_suite),
              HasSubstr(":8:"));
  EXPECT_THAT(error_of(groups + "    dtype: fp16\n", read_suite),
              AllOf(HasSubstr(":8:5:"), HasSubstr("bf16")));
  EXPECT_THAT(error_of(groups + "    cals: 2\n", read_suite),
              AllOf(HasSubstr(":8:5:"), HasSubstr("'calls'")));
  const std::string overlap =
      "suite: s\ndescription: d\ncases:\n  - family: overlap\n    gemm: {m: 1, n: 2, k: 3}\n"
      "    collectives: [all_reduce]\n    bytes: 1MiB\n";
  EXPECT_EQ(error_of(overlap, read_suite), "no error");
  EXPECT_EQ(error_of(overlap + "    max_ctas: [0, 4]\n    priority: [normal, high]\n", read_suite),
            "no error");
  EXPECT_THAT(error_of(overlap + "    priority: [normal, highest]\n", read_suite),
              AllOf(HasSubstr(":8:5:"), HasSubstr("'highest'")));
  EXPECT_THAT(error_of(overlap + "    max_ctas: [-1]\n", read_suite), HasSubstr(":8:"));
  EXPECT_THAT(error_of(overlap + "    occupy_ctas: [0]\n", read_suite), HasSubstr(":8:"));
  EXPECT_THAT(error_of("suite: s\ndescription: d\ncases:\n  - family: overlap\n    gemm: {m: 0}\n",
                       read_suite),
              HasSubstr(":5:"));
}

// What is taken from the program of a plan is not typed as well.
TEST_F(SuiteMistakes, GroupsAndOverlapsOfAPlan) {
  const std::string head = "suite: s\ndescription: d\ncases:\n  - family: ";
  const std::string groups = head + "groups\n    workload: tiny\n    plan: [\"tp=2\", \"tp=1\"]\n";
  EXPECT_EQ(error_of(groups, read_suite), "no error");
  EXPECT_EQ(error_of(groups + "    calls: 3\n", read_suite), "no error");
  EXPECT_THAT(error_of(groups + "    traffic:\n      tp: {op: all_reduce, bytes: 1}\n", read_suite),
              AllOf(HasSubstr(":7:5:"), HasSubstr("with 'workload', 'traffic' is taken from")));
  EXPECT_THAT(error_of(groups + "    dtype: bf16\n", read_suite),
              AllOf(HasSubstr(":7:5:"), HasSubstr("'dtype'")));
  EXPECT_THAT(error_of(head + "groups\n    workload: tiny\n    plan: [\"dq=1\"]\n", read_suite),
              AllOf(HasSubstr(":6:5:"), HasSubstr("'dp'")));
  const std::string overlap = head + "overlap\n    workload: tiny\n";
  EXPECT_EQ(error_of(overlap + "    max_ctas: [0, 4]\n    priority: high\n", read_suite),
            "no error");
  for (const char* typed : {"gemm: {m: 1, n: 1, k: 1}", "collectives: all_reduce", "bytes: 1MiB",
                            "dtype: bf16", "occupy_ctas: 4"}) {
    const std::string key(typed, std::strchr(typed, ':'));
    EXPECT_THAT(error_of(overlap + "    " + typed + "\n", read_suite),
                AllOf(HasSubstr(":6:5:"), HasSubstr("'" + key + "' is taken from")));
  }
  EXPECT_THAT(error_of(head + "overlap\n    plan: tp=2\n    gemm: {m: 1, n: 1, k: 1}\n"
                              "    collectives: all_reduce\n    bytes: 1MiB\n",
                       read_suite),
              AllOf(HasSubstr(":5:5:"), HasSubstr("'workload'")));
}

TEST_F(SuiteMistakes, SweepsOfASuite) {
  const auto sizes = [&](const std::string& keys) {
    const fs::path file = folder_ / "sweep.yaml";
    std::ofstream(file) << "suite: s\ndescription: d\ncases:\n  - family: collective\n"
                           "    collectives: [all_reduce]\n" +
                               keys;
    const Suite suite = read_suite(file);
    const auto* entry = suite.entries.front().as<CollectiveEntry>();
    return entry == nullptr ? std::vector<std::int64_t>{} : entry->sweep.sizes;
  };
  using ::testing::ElementsAre;
  EXPECT_THAT(sizes("    min: 1KiB\n    max: 4KiB\n    step: 1KiB\n"),
              ElementsAre(1024, 2048, 3072, 4096));
  EXPECT_THAT(sizes("    sizes: [4KiB, 1M, 3MiB]\n"), ElementsAre(4096, 1 << 20, 3 << 20));
  EXPECT_THAT(sizes("    sizes: 96\n"), ElementsAre(96));
  EXPECT_THAT(sizes("    min: 8\n    max: 27\n    factor: 1.5\n"), ElementsAre(8, 12, 18, 27));

  const std::string head =
      "suite: s\ndescription: d\ncases:\n  - family: collective\n"
      "    collectives: [all_reduce]\n";
  const auto error = [&](const std::string& keys) { return error_of(head + keys, read_suite); };
  EXPECT_THAT(error("    sizes: [4KiB]\n    max: 1M\n"),
              AllOf(HasSubstr(":7:5:"), HasSubstr("either sizes or max")));
  EXPECT_THAT(error("    step: 1KiB\n    factor: 2\n"),
              AllOf(HasSubstr(":6:5:"), HasSubstr("either factor or step")));
  EXPECT_THAT(error("    factor: 1\n"), AllOf(HasSubstr(":6:5:"), HasSubstr("more than 1")));
  EXPECT_THAT(error("    step: 0\n"), AllOf(HasSubstr(":6:5:"), HasSubstr("positive")));
  EXPECT_THAT(error("    sizes: [0]\n"), AllOf(HasSubstr(":6:5:"), HasSubstr("positive")));
  EXPECT_THAT(error("    sizes: [1GB]\n"), AllOf(HasSubstr(":6:5:"), HasSubstr("1GiB")));
  EXPECT_THAT(error("    min: 1\n    max: 1T\n    step: 1\n"),
              AllOf(HasSubstr(":8:5:"), HasSubstr("10000 cases")));
  EXPECT_THAT(error("    min: 4\n    max: 40000\n    step: 8\n    dtypes: [fp32, bf16]\n"),
              AllOf(HasSubstr(":5:5:"), HasSubstr("asks for 20000 cases")));
  EXPECT_THAT(error("    placement: inplace\n"), HasSubstr("in-place, out-of-place, both"));
}

TEST_F(SuiteMistakes, FractionsOfASuite) {
  const std::string tail = "cases:\n  - family: step\n    workload: w\n";
  const std::string head = "suite: s\ndescription: d\n";
  EXPECT_THAT(error_of(head + "precision: 5\n" + tail, read_suite),
              AllOf(HasSubstr(":3:1:"), HasSubstr("write 5% or 0.05")));
  EXPECT_THAT(error_of(head + "precision: 0%\n" + tail, read_suite),
              AllOf(HasSubstr(":3:1:"), HasSubstr("positive")));
  EXPECT_THAT(error_of(head + "budget: 0\n" + tail, read_suite),
              AllOf(HasSubstr(":3:1:"), HasSubstr("positive")));
}

// A workload of a suite's own is a path from the suite's folder, whatever the current one is.
TEST_F(SuiteMistakes, WorkloadsOfASuiteAreRelativeToIt) {
  fs::create_directories(folder_ / "mine");
  const fs::path file = folder_ / "mine" / "s.yaml";
  const auto entry = [&](const std::string& workload) {
    std::ofstream(file) << "suite: s\ndescription: d\ncases:\n  - family: step\n    workload: " +
                               workload + "\n";
    return *read_suite(file).entries.front().as<StepEntry>();
  };
  EXPECT_EQ(entry("tiny").workload, "tiny");
  EXPECT_EQ(entry("w.yaml").workload, (folder_ / "mine" / "w.yaml").string());
  EXPECT_EQ(entry("../w.yml").workload, (folder_ / "w.yml").string());
  EXPECT_EQ(entry("/tmp/w.yaml").workload, "/tmp/w.yaml");
  EXPECT_EQ(entry("w.yaml").place.line, 5);
  EXPECT_EQ(entry("w.yaml").place.column, 15);
}

// Both sides know the same families, by the one list: a name that only one has does not link.
TEST(CaseFamilies, AreThoseOfResults) {
  ASSERT_EQ(case_families().size(), families().size());
  for (std::size_t i = 0; i < families().size(); ++i) {
    EXPECT_EQ(case_families()[i].name, families()[i].name);
    EXPECT_NE(families()[i].derive, nullptr) << families()[i].name;
    EXPECT_FALSE(families()[i].table.columns.empty()) << families()[i].name;
    EXPECT_FALSE(families()[i].section.id.empty()) << families()[i].name;
  }
}

}  // namespace
}  // namespace stepmark
