// SPDX-License-Identifier: Apache-2.0
// What a comparison comes to: exit code, counts, and that no run is counted twice.
#include "results/compare/outcome.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "results/compare/compare.h"
#include "results/views/json/comparison_json.h"
#include "results/views/table/comparison_table.h"
#include "results/views/words/comparison_words.h"
#include "synthetic.h"

namespace stepmark {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;

constexpr const char* kStep = "step/tiny/dp2.tp2";

// Quiet, and everything that was asked for has a result.
stepmark::Run complete_run(std::uint64_t seed) {
  auto run = synthetic::run({.seed = seed, .noise = 0.001, .kernels = false, .timeline = false});
  std::erase_if(run.records, [](const Record& r) { return r.outcome != Outcome::ok; });
  run.header.cases.clear();
  for (const auto& record : run.records) {
    run.header.cases.push_back(record.case_id);
  }
  run.path = fmt::format("{}.smk", seed);
  return run;
}

Record& record_of(stepmark::Run& run, const std::string& id) {
  return *std::find_if(run.records.begin(), run.records.end(),
                       [&](const Record& r) { return r.case_id == id; });
}

Comparison compare_two(const stepmark::Run& a, const stepmark::Run& b, bool allow_missing = false) {
  return compare(std::vector{RunSide{.label = "a", .runs = {a}}, {.label = "b", .runs = {b}}},
                 {.run_spread = 0.002, .allow_missing = allow_missing});
}

struct Change {
  const char* what;
  std::function<void(stepmark::Run& baseline, stepmark::Run& candidate)> apply;
  ExitCode strict, allowing;
  std::string closing;
};

void set_outcome(stepmark::Run& run, Outcome outcome) {
  auto& record = record_of(run, kStep);
  record.outcome = outcome;
  record.reason = "because";
}

void drop(stepmark::Run& run) {
  std::erase_if(run.records, [](const Record& r) { return r.case_id == kStep; });
}

class CompareOutcome : public ::testing::TestWithParam<Change> {};

TEST_P(CompareOutcome, ExitCodeAndClosingLine) {
  auto a = complete_run(1);
  auto b = complete_run(2);
  GetParam().apply(a, b);
  const auto c = compare_two(a, b);
  EXPECT_EQ(exit_code(c), GetParam().strict);
  EXPECT_EQ(exit_code(compare_two(a, b, true)), GetParam().allowing);
  EXPECT_THAT(closing_text(c),
              AllOf(HasSubstr(GetParam().closing),
                    HasSubstr(fmt::format("Exit code {}: ", static_cast<int>(GetParam().strict)))));
  const auto json = to_json(c);
  EXPECT_EQ(json["exit_code"], static_cast<int>(GetParam().strict));
  int counted = 0;
  for (const auto& count : json["sides"][0]["counts"]) {
    counted += count.get<int>();
  }
  EXPECT_EQ(counted, static_cast<int>(c.sides[0].cases.size()));
}

using stepmark::ExitCode;
INSTANTIATE_TEST_SUITE_P(
    All, CompareOutcome,
    ::testing::Values(
        Change{"Alike", [](auto&, auto&) {}, ExitCode::kOk, ExitCode::kOk,
               "0 failed, 0 missing, 0 not comparable, 0 skipped"},
        Change{"CandidateFailed", [](auto&, auto& b) { set_outcome(b, Outcome::failed); },
               ExitCode::kCheckFailed, ExitCode::kCheckFailed, "1 failed, 0 missing"},
        Change{"BothFailed",
               [](auto& a, auto& b) {
                 set_outcome(a, Outcome::failed);
                 set_outcome(b, Outcome::failed);
               },
               ExitCode::kCheckFailed, ExitCode::kCheckFailed, "1 failed, 0 missing"},
        Change{"CandidateCheckFailed",
               [](auto&, auto& b) { record_of(b, kStep).checks[0].passed = false; },
               ExitCode::kCheckFailed, ExitCode::kCheckFailed, "1 failed"},
        Change{"BaselineFailed", [](auto& a, auto&) { set_outcome(a, Outcome::failed); },
               ExitCode::kNotMeasured, ExitCode::kOk, "0 missing, 1 not comparable"},
        Change{"BaselineMissing", [](auto& a, auto&) { drop(a); }, ExitCode::kNotMeasured,
               ExitCode::kOk, "0 missing, 1 not comparable"},
        Change{"CandidateMissing", [](auto&, auto& b) { drop(b); }, ExitCode::kNotMeasured,
               ExitCode::kOk, "0 failed, 1 missing"},
        Change{"CandidateNotMeasured",
               [](auto&, auto& b) { set_outcome(b, Outcome::not_measured); },
               ExitCode::kNotMeasured, ExitCode::kOk, "0 failed, 1 missing"},
        Change{"CandidateSkipped", [](auto&, auto& b) { set_outcome(b, Outcome::skipped); },
               ExitCode::kNotMeasured, ExitCode::kOk, "0 failed, 1 missing"},
        Change{"BothSkipped",
               [](auto& a, auto& b) {
                 set_outcome(a, Outcome::skipped);
                 set_outcome(b, Outcome::skipped);
               },
               ExitCode::kOk, ExitCode::kOk, "0 missing, 0 not comparable, 1 skipped"},
        Change{"OtherParameters", [](auto&, auto& b) { record_of(b, kStep).numbers[0].second = 1; },
               ExitCode::kNotMeasured, ExitCode::kOk, "0 missing, 1 not comparable"},
        Change{"MissingAndFailed",
               [](auto&, auto& b) {
                 drop(b);
                 b.records.front().outcome = Outcome::failed;
               },
               ExitCode::kCheckFailed, ExitCode::kCheckFailed, "1 failed, 1 missing"},
        // Only the first line was written: nothing is compared, and no option makes that good.
        Change{"EmptyCandidate", [](auto&, auto& b) { b.records.clear(); }, ExitCode::kNotMeasured,
               ExitCode::kNotMeasured, "0 cases compared"}),
    [](const auto& one) { return std::string(one.param.what); });

TEST(CompareClosing, SlowerIsExitCodeOneEvenBesideMissingCases) {
  const auto a = complete_run(1);
  auto b = complete_run(2);
  for (double& value : record_of(b, kStep).series.front().values) {
    value *= 3;
  }
  b.records.erase(b.records.begin());
  const auto c = compare_two(a, b);
  EXPECT_EQ(exit_code(c), ExitCode::kCheckFailed);
  EXPECT_THAT(closing_text(c), AllOf(HasSubstr("1 slower"), HasSubstr("1 missing")));
  EXPECT_THAT(comparison_table(c), EndsWith("Exit code 1: slower cases.\n"));
}

TEST(CompareClosing, AFailureInAnyRunOfTheSideCounts) {
  auto failing = complete_run(3);
  record_of(failing, kStep).checks[0].passed = false;
  const auto c = compare(
      std::vector{RunSide{.label = "a", .runs = {complete_run(1)}},
                  RunSide{.label = "b", .runs = {complete_run(2), failing, complete_run(4)}}});
  EXPECT_EQ(exit_code(c), ExitCode::kCheckFailed);
  EXPECT_THAT(comparison_table(c), HasSubstr("failed: 3.smk: check failed"));
}

TEST(CompareClosing, CountsOfAllSidesTogether) {
  auto b = complete_run(2);
  auto c = complete_run(3);
  drop(b);
  drop(c);
  const auto comparison =
      compare(std::vector{RunSide{.label = "a", .runs = {complete_run(1)}},
                          RunSide{.label = "b", .runs = {b}}, RunSide{.label = "c", .runs = {c}}});
  EXPECT_THAT(closing_text(comparison), HasSubstr("2 missing"));
}

std::string refusal(const std::vector<RunSide>& groups) {
  try {
    static_cast<void>(compare(groups));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return error.message();
  }
  return {};
}

TEST(RunIdentity, TheSameRunTwiceIsRefusedWithBothFiles) {
  const auto a = complete_run(1);
  const auto b = complete_run(2);
  auto copy = a;
  copy.path = "copy.smk";
  EXPECT_THAT(refusal({{.label = "a", .runs = {a, copy}}, {.label = "b", .runs = {b}}}),
              AllOf(HasSubstr("1.smk and copy.smk are the same run"), HasSubstr("on one side")));
  EXPECT_THAT(refusal({{.label = "a", .runs = {a, a}}, {.label = "b", .runs = {b}}}),
              HasSubstr("are one file, given twice"));
  EXPECT_THAT(refusal({{.label = "a", .runs = {a}}, {.label = "b", .runs = {b, copy}}}),
              HasSubstr("compared with itself"));
  EXPECT_EQ(refusal({{.label = "a", .runs = {a, complete_run(3)}}, {.label = "b", .runs = {b}}}),
            "");
}

TEST(RunIdentity, SharedRecordsAreFoundUnderAnotherId) {
  const auto a = complete_run(1);
  auto copied = complete_run(2);
  copied.path = "overlapping.smk";
  record_of(copied, kStep) = *a.find(kStep);
  EXPECT_THAT(
      refusal({{.label = "a", .runs = {a, copied}}, {.label = "b", .runs = {complete_run(3)}}}),
      AllOf(HasSubstr("1.smk and overlapping.smk"), HasSubstr(kStep)));
  // Equal samples of a clock with few ticks, or at another time, are no proof.
  for (double& value : record_of(copied, kStep).series.front().values) {
    value = 0.25;
  }
  auto constant = a;
  for (double& value : record_of(constant, kStep).series.front().values) {
    value = 0.25;
  }
  EXPECT_EQ(refusal({{.label = "a", .runs = {constant, copied}},
                     {.label = "b", .runs = {complete_run(3)}}}),
            "");
}

}  // namespace
}  // namespace stepmark
