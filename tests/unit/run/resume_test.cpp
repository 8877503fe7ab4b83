// SPDX-License-Identifier: Apache-2.0
// What of an older journal a resumed run may keep.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "harness/run/opened_journal.h"

namespace stepmark {
namespace {

std::string suite_text(const std::string& max, const std::string& budget) {
  return "suite: quick\ndescription: " + budget + "\nbudget: " + budget +
         "\ncases:\n  - {family: collective, max: " + max + "}\n";
}

RunHeader some_header() {
  RunHeader header;
  header.suite = "quick";
  header.ranks = 4;
  header.backend = "host";
  header.git_revision = "abc";
  header.cases = {"a", "b", "c", "d"};
  header.config = {{"budget_s", 60}, {"suite_file", suite_text("4KiB", "1m")}};
  return header;
}

Run some_run() {
  Run run;
  run.path = "old.smk";
  run.header = some_header();
  for (const auto& [id, outcome] :
       {std::pair{"a", Outcome::ok}, {"b", Outcome::failed}, {"c", Outcome::not_measured}}) {
    Record record;
    record.case_id = id;
    record.outcome = outcome;
    run.records.push_back(record);
  }
  return run;
}

std::string refusal(const RunHeader& now) {
  try {
    (void)cases_to_keep(some_run(), now);
    return {};
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return error.message();
  }
}

TEST(ResumeTest, KeepsWhatWasMeasuredAndNothingElse) {
  EXPECT_THAT(cases_to_keep(some_run(), some_header()), testing::ElementsAre("a"));
}

TEST(ResumeTest, BudgetPrecisionAndDescriptionAreNoIdentity) {
  RunHeader header = some_header();
  header.config["budget_s"] = 61;
  header.config["precision"] = 0.05;
  header.config["suite_file"] = suite_text("4KiB", "7m") + "# and a comment\n";
  EXPECT_THAT(cases_to_keep(some_run(), header), testing::ElementsAre("a"));
}

TEST(ResumeTest, RefusesToMixRuns) {
  const auto changed = [](auto change) {
    RunHeader header = some_header();
    change(header);
    return refusal(header);
  };
  using testing::HasSubstr;
  EXPECT_THAT(changed([](RunHeader& h) { h.suite = "standard"; }), HasSubstr("suite 'quick'"));
  EXPECT_THAT(changed([](RunHeader& h) { h.ranks = 2; }), HasSubstr("ranks '4', now it is '2'"));
  EXPECT_THAT(changed([](RunHeader& h) { h.backend = "cuda"; }), HasSubstr("backend"));
  EXPECT_THAT(changed([](RunHeader& h) { h.git_revision = "def"; }), HasSubstr("revision 'abc'"));
  EXPECT_THAT(changed([](RunHeader& h) { h.cases.pop_back(); }),
              HasSubstr("there is d where now it is nothing"));
  EXPECT_THAT(changed([](RunHeader& h) { h.config["only"] = {"4KiB"}; }),
              HasSubstr("only = nothing, now it is '[\"4KiB\"]'"));
  EXPECT_THAT(changed([](RunHeader& h) { h.config["suite_file"] = suite_text("8KiB", "1m"); }),
              HasSubstr("suite file: cases[0].max = '4KiB', now it is '8KiB'"));
  EXPECT_THAT(changed([](RunHeader& h) { h.suite = "x"; }), HasSubstr("'old.smk'"));
}

}  // namespace
}  // namespace stepmark
