// SPDX-License-Identifier: Apache-2.0
// Drafts: what they stand on, that they are read back, and that one run is none.
#include "results/contract/propose.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "core/error.h"
#include "core/units.h"
#include "results/contract/check.h"
#include "results/views/words/terms_draft.h"
#include "synthetic.h"

namespace stepmark {
namespace {

using ::testing::HasSubstr;

// A run of one all-reduce on two hosts of two ranks; busbw is 1.5 GiB over its time.
Run run_of(int number, double time_s, const std::string& hosts = "a x2, b x2") {
  Run run = synthetic::run({.seed = 1, .collectives = false, .kernels = false, .steps = false});
  run.path = fmt::format("{}.smk", number);
  run.header.run_id = run.path;
  Record record =
      synthetic::collective("all_reduce", kGiB, "in-place", std::vector<double>(8, time_s));
  record.started_unix_s = 1790000000.0 + number;
  run.records = {record};
  run.header.cases = {record.case_id};
  run.header.environment.facts.push_back(
      {.section = "placement", .name = "ranks by host", .value = hosts, .fingerprint = false});
  return run;
}

std::string error_of(const std::vector<Run>& runs, const ProposeOptions& options, ExitCode code) {
  try {
    static_cast<void>(propose(runs, options));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    return error.message();
  }
  return "no error";
}

TEST(Propose, TakesTheQuantileOfRunMediansLessAMargin) {
  // 1.5 * 1.073741824 GB over 1, 0.5 and 0.25 s: 1.6106, 3.2212, 6.4424 GB/s; 2 % less than the
  // median is 3.15680..., rounded down to four digits.
  const std::vector<stepmark::Run> runs{run_of(1, 1), run_of(2, 0.5), run_of(3, 0.25)};
  const Proposal proposal = propose(runs, {});
  ASSERT_EQ(proposal.floors.size(), 1U);
  const ProposedFloor& one = proposal.floors[0];
  EXPECT_EQ(one.runs, 3U);
  EXPECT_EQ(one.journals, 3U);
  EXPECT_NEAR(one.estimate, 3.221225, 1e-6);
  EXPECT_NEAR(one.worst, 1.610612, 1e-6);
  EXPECT_DOUBLE_EQ(one.floor.value, 3.156);
  EXPECT_EQ(one.floor.nodes, (std::vector<std::int64_t>{2}));
  EXPECT_EQ(proposal.gpus_per_node, 2);
  EXPECT_EQ(proposal.floors[0].floor.metric, "busbw");
  const Proposal slow = propose(runs, {.metric = "latency"});
  EXPECT_EQ(slow.floors[0].floor.direction, FloorDirection::at_most);
  EXPECT_DOUBLE_EQ(slow.floors[0].floor.value, 510000);  // us, 2 % more
}

TEST(Propose, WritesTermsThatAreReadAndMetByTheirOwnRuns) {
  std::vector<stepmark::Run> runs;
  for (int i = 0; i < 8; ++i) runs.push_back(run_of(i + 1, 1 + 0.0001 * i));
  const Proposal proposal = propose(runs, {});
  const std::string text = terms_yaml(proposal);
  EXPECT_THAT(text, HasSubstr("# 8 measured runs in 8 journals: 50% quantile"));
  // Comments are for people: as many digits as the tables of contract have.
  for (std::size_t at = text.find("  # "); at != std::string::npos;
       at = text.find("  # ", at + 1)) {
    const std::string comment = text.substr(at, text.find('\n', at) - at);
    EXPECT_FALSE(std::regex_search(comment, std::regex("[0-9.]{8}"))) << comment;
  }
  const Terms terms = read_terms_text(text, "draft.yaml");
  ASSERT_EQ(terms.floors.size(), 1U);
  EXPECT_EQ(terms.floors[0].value, proposal.floors[0].floor.value);
  EXPECT_GE(terms.stack.size(), 1U);
  const auto check = check_contract(terms, run_results(runs, terms));
  EXPECT_EQ(exit_code(check), ExitCode::kOk);
}

TEST(Propose, WritesAnyTextsOfAJournalSoThatTheyAreRead) {
  stepmark::Run first = run_of(1, 1);
  stepmark::Run second = run_of(2, 0.5);
  for (stepmark::Run* run : {&first, &second}) {
    run->header.environment.facts.push_back(
        {.section = "hardware", .name = "GPU: \"x\" # y\n", .value = "a\\b\x01: {[&*!|>'%@`"});
  }
  const Proposal proposal = propose(std::vector{first, second}, {});
  const Terms terms = read_terms_text(terms_yaml(proposal), "draft.yaml");
  const auto& facts = terms.stack;
  EXPECT_TRUE(std::any_of(facts.begin(), facts.end(), [](const StackFact& fact) {
    return fact.name == "GPU: \"x\" # y\n" && fact.value == "a\\b\x01: {[&*!|>'%@`";
  }));
}

TEST(Propose, RefusesASingleRun) {
  EXPECT_THAT(error_of({run_of(1, 1)}, {}, ExitCode::kNotMeasured),
              HasSubstr("a single run does not say what runs differ by"));
}

TEST(Propose, LeavesOutWhatIsNoEvidence) {
  stepmark::Run failed = run_of(3, 0.1);
  failed.records[0].checks[0].passed = false;
  const Proposal proposal = propose(std::vector{run_of(1, 1), run_of(2, 1.01), failed}, {});
  EXPECT_EQ(proposal.floors.at(0).runs, 2U);
  EXPECT_THAT(proposal.left_out.at(0), HasSubstr("3.smk, repetition 1): its check"));
}

TEST(Propose, AsksForTheGpusOfANodeThatRunsDoNotTell) {
  const std::vector<stepmark::Run> runs{run_of(1, 1, ""), run_of(2, 1.1, "")};
  EXPECT_THAT(error_of(runs, {}, ExitCode::kUsage), HasSubstr("--gpus-per-node"));
  EXPECT_EQ(propose(runs, {.gpus_per_node = 4}).floors.at(0).floor.nodes.front(), 1);
}

}  // namespace
}  // namespace stepmark
