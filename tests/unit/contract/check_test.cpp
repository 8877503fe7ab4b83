// SPDX-License-Identifier: Apache-2.0
// Floors against results made by hand: verdicts, what is set aside and why, what is not measured,
// and how often a system at the floor is called something.
#include "results/contract/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/rng.h"
#include "core/units.h"
#include "results/contract/floor_match.h"
#include "sample_terms.h"
#include "synthetic.h"

namespace stepmark {
namespace {

using ::testing::HasSubstr;

constexpr const char* kCase = "collective/all_reduce/bf16/sum/1GiB/in-place/world64";

RunResult result(double busbw, std::int64_t nodes = 8, std::int64_t size = kGiB) {
  RunResult out{.source = "a.smk",
                .started_unix_s = 1796083200.0 + 3600,
                .case_id = kCase,
                .family = "collective",
                .size_bytes = size,
                .nodes = nodes};
  out.figures = {{.metric = "busbw", .unit = "GB/s", .value = busbw},
                 {.metric = "latency", .unit = "us", .value = 9, .higher_is_better = false}};
  return out;
}

// The sample's first floor, for one size on one node count.
struct OneFloor {
  Terms terms = read_terms_text(sample_text(), "t.yaml");
  Floor& floor = terms.floors.front();
  OneFloor() {
    floor.sizes = {kGiB};
    floor.nodes = {8};
    floor.quantile = 0.5;
  }
  [[nodiscard]] FloorResult check(const std::vector<RunResult>& results) const {
    return check_floor(floor, {.span = terms.valid}, results);
  }
};

TEST(ContractCheck, DecidesOnWhichSideTheQuantileLies) {
  const OneFloor one;
  const auto good = one.check({result(340), result(341), result(342), result(343)});
  EXPECT_EQ(good.verdict, FloorVerdict::met);
  EXPECT_EQ(good.cells.at(0).runs.size(), 4U);
  EXPECT_EQ(one.check({result(320), result(321), result(322)}).verdict, FloorVerdict::not_met);
  const auto open = one.check({result(329), result(331), result(333)});
  EXPECT_EQ(open.verdict, FloorVerdict::undecided);
  EXPECT_THAT(open.cells.at(0).reason, HasSubstr("either side"));
  EXPECT_TRUE(open.cells.at(0).further_runs);
}

TEST(ContractCheck, NeverDecidesFromOneRun) {
  const OneFloor one;
  const auto cell = one.check({result(1000)}).cells.at(0);
  EXPECT_EQ(cell.verdict, FloorVerdict::undecided);
  EXPECT_EQ(cell.reason, "one run does not say what runs differ by");
  EXPECT_EQ(one.check({result(1000), result(1001)}).verdict, FloorVerdict::undecided);
}

TEST(ContractCheck, SaysNothingOfSizesAndNodeCountsThatAreNotNamed) {
  const OneFloor one;
  const std::vector<RunResult> others{result(300, 4), result(301, 4), result(302, 4),
                                      result(300, 8, 2 * kGiB), result(300, 16)};
  const auto check = one.check(others);
  EXPECT_EQ(check.verdict, FloorVerdict::not_measured);
  EXPECT_THAT(check.cells.at(0).reason, HasSubstr("1073741824 B on 4 nodes"));
  EXPECT_TRUE(check.aside.empty());
}

TEST(ContractCheck, ACellWithoutRunsKeepsAFloorFromBeingMet) {
  OneFloor one;
  one.floor.nodes = {8, 16};
  const auto check = one.check({result(340), result(341), result(342), result(343)});
  ASSERT_EQ(check.cells.size(), 2U);
  EXPECT_EQ(check.cells[0].verdict, FloorVerdict::met);
  EXPECT_EQ(check.cells[1].verdict, FloorVerdict::not_measured);
  EXPECT_EQ(check.verdict, FloorVerdict::not_measured);
}

TEST(ContractCheck, SetsAsideWhatIsNoEvidenceAndNamesIt) {
  const OneFloor one;
  auto failed = result(100);
  failed.unusable = "its check 'all elements exact' failed: 3 wrong";
  auto other_stack = result(100);
  other_stack.stack_differs = {"its stack differs: 'software NCCL' is '2.20'"};
  auto early = result(100);
  early.started_unix_s = 1796083200.0 - 5;
  auto parts = result(100);
  parts.nodes.reset();
  parts.nodes_unknown = "4 ranks on a host";
  auto blank = result(100);
  blank.figures[0].value.reset();
  blank.figures[0].note = "one rank has no bus";
  auto imported = result(100);
  imported.provenance = Provenance::imported;
  const auto check = one.check({failed, other_stack, early, parts, blank, imported, result(340),
                                result(341), result(342), result(343)});
  EXPECT_EQ(check.verdict, FloorVerdict::met);
  std::string all;
  for (const auto& aside : check.aside) all += aside.why + "\n";
  EXPECT_EQ(check.aside.size(), 6U);
  for (const char* why : {"3 wrong", "'software NCCL' is '2.20'",
                          "it ran on 2026-11-30, which is not from 2026-12-01", "4 ranks on a host",
                          "busbw is N/A: one rank has no bus", "imported, beside measured runs"}) {
    EXPECT_THAT(all, HasSubstr(why));
  }
}

TEST(ContractCheck, RefusesAFloorThatIsNotInItsMetricsUnit) {
  OneFloor one;
  const auto error_of = [&] {
    try {
      static_cast<void>(one.check({result(340)}));
    } catch (const ConfigError& error) {
      return error.message();
    }
    return std::string("no error");
  };
  one.floor.unit = "GiB/s";
  EXPECT_THAT(error_of(),
              HasSubstr("t.yaml:11:12: floor 'all-reduce-8-nodes': busbw is in 'GB/s'"));
  one.floor.unit = "us";
  one.floor.metric = "latency";
  EXPECT_THAT(error_of(), HasSubstr("better when it is lower"));
}

TEST(ContractCheck, PatternsAreOfTheCaseAlone) {
  EXPECT_TRUE(matches("all_reduce/*", "all_reduce/bf16/sum"));
  EXPECT_TRUE(matches("*/in-place/world?", "a/b/in-place/world8"));
  EXPECT_FALSE(matches("all_reduce", "all_reduce/bf16"));
  EXPECT_FALSE(matches("a*b", "a"));
  EXPECT_TRUE(matches("**", ""));
  const OneFloor one;
  auto other = result(1);
  other.case_id = "collective/all_gather/bf16/1GiB/in-place/world64";
  EXPECT_FALSE(has_case_of(one.floor, other));
}

TEST(ContractCheck, ItsExitCodeIsThatOfTheWorstFloor) {
  Terms terms = read_terms_text(sample_text(), "t.yaml");
  ContractCheck check{.terms = &terms, .floors = {{.verdict = FloorVerdict::met}}};
  EXPECT_EQ(exit_code(check), ExitCode::kOk);
  check.floors.push_back({.verdict = FloorVerdict::undecided});
  EXPECT_EQ(exit_code(check), ExitCode::kNotMeasured);
  check.floors.push_back({.verdict = FloorVerdict::not_met});
  EXPECT_EQ(exit_code(check), ExitCode::kCheckFailed);
}

// Medians of five runs of 7 samples each as they were written down; the rest is done by hand.
// Floor 1, median: medians 101, 103, 104, 106, 107 against at least 95 at 90 %: P(B <= 0) = 1/32 =
// 0.031 <= 0.05, so the lower bound is the smallest, 101: met.
// Floor 2: at most 100 of the same: the smallest is above it: not met.
// Floor 3, 90 % quantile at most 107.5: P(B >= 5) = 0.59 > 0.05, no rank serves; logarithms have
// mean 4.646101 and sd 0.022949, and 2.742 (tolerance factor n = 5, 90 %, confidence 90 %) is less
// than what 95 % asks for, 3.407, so the bound is exp(4.646101 + 3.407 * 0.022949) = 112.65:
// undecided.
TEST(ContractCheck, ThreeFloorsAreThoseComputedByHand) {
  const std::vector<double> medians{101, 103, 104, 106, 107};
  Floor floor{.direction = FloorDirection::at_least, .value = 95, .confidence = 0.9};
  const auto first = judge(floor, medians, 0, 1);
  EXPECT_EQ(first.verdict, FloorVerdict::met);
  EXPECT_EQ(first.bounds.lower.value, 101);
  floor.direction = FloorDirection::at_most;
  floor.value = 100;
  const auto second = judge(floor, medians, 0, 1);
  EXPECT_EQ(second.verdict, FloorVerdict::not_met);
  EXPECT_EQ(second.bounds.estimate, 104);
  floor.value = 107.5;
  floor.quantile = 0.9;
  const auto third = judge(floor, medians, 0, 1);
  EXPECT_EQ(third.verdict, FloorVerdict::undecided);
  EXPECT_NEAR(third.bounds.upper.value, 112.65, 0.01);
}

struct Simulated {
  double quantile, confidence;
  int runs;
  FloorDirection direction;
};

class AtTheFloor : public ::testing::TestWithParam<Simulated> {};

// A system exactly at the floor: whatever it is called, it is decided at most as often as the
// stated confidence allows.
TEST_P(AtTheFloor, IsDecidedNoMoreOftenThanStated) {
  const auto [q, confidence, runs, direction] = GetParam();
  const double z = q == 0.5 ? 0 : q == 0.1 ? -1.2815515655 : 1.2815515655;
  const Floor floor{.direction = direction,
                    .value = 330 * std::exp(0.03 * z),
                    .quantile = q,
                    .confidence = confidence};
  constexpr int kTrials = 3000;
  int decided = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    const Philox noise(21, static_cast<std::uint64_t>(trial));
    std::vector<double> figures;
    for (int i = 0; i < runs; ++i) figures.push_back(330 * std::exp(0.03 * noise.normal(i)));
    decided += judge(floor, figures, 0, 1).verdict == FloorVerdict::undecided ? 0 : 1;
  }
  const double share = 1 - confidence;
  EXPECT_LE(decided, kTrials * share + 3.5 * std::sqrt(kTrials * share));
}

INSTANTIATE_TEST_SUITE_P(Floors, AtTheFloor,
                         ::testing::Values(Simulated{0.5, 0.95, 3, FloorDirection::at_least},
                                           Simulated{0.5, 0.95, 9, FloorDirection::at_least},
                                           Simulated{0.1, 0.95, 5, FloorDirection::at_least},
                                           Simulated{0.1, 0.9, 30, FloorDirection::at_least},
                                           Simulated{0.9, 0.95, 6, FloorDirection::at_most}));

// The same over six cells of a floor at once: "not met" is wrong at most as often.
TEST(ContractCheck, ManyCellsDoNotMakeAFloorNotMet) {
  const Floor floor{.direction = FloorDirection::at_least, .value = 330};
  constexpr int kTrials = 2000;
  constexpr int kCells = 6;
  int not_met = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    bool any = false;
    for (int cell = 0; cell < kCells; ++cell) {
      const Philox noise(
          22, static_cast<std::uint64_t>(trial) * kCells + static_cast<std::uint64_t>(cell));
      std::vector<double> figures;
      for (int i = 0; i < 8; ++i) figures.push_back(330 * std::exp(0.03 * noise.normal(i)));
      any = any || judge(floor, figures, 0, kCells).verdict == FloorVerdict::not_met;
    }
    not_met += any ? 1 : 0;
  }
  EXPECT_LE(not_met, kTrials * 0.025 + 3.5 * std::sqrt(kTrials * 0.025));
}

// From journals: nodes from hosts, checks, stack, and no run twice.
TEST(RunResults, AreThoseOfTheJournals) {
  stepmark::Run run =
      synthetic::run({.seed = 3, .kernels = false, .steps = false, .timeline = false});
  run.path = "one.smk";
  run.header.environment.facts.push_back({.section = "placement",
                                          .name = "ranks by host",
                                          .value = "a x2, b x2",
                                          .fingerprint = false});
  Terms terms = read_terms_text(sample_text(), "t.yaml");
  terms.gpus_per_node = 2;
  const auto results = run_results(std::vector{run}, terms);
  ASSERT_EQ(results.size(), run.records.size());
  const auto& one = results.front();
  EXPECT_EQ(one.nodes, 2);
  EXPECT_EQ(one.stack_differs.size(), 2U);
  EXPECT_THAT(one.stack_differs.front(), HasSubstr("says nothing of 'hardware GPU'"));
  ASSERT_NE(one.figure("busbw"), nullptr);
  EXPECT_EQ(one.figure("busbw")->unit, "GB/s");
  terms.gpus_per_node = 4;
  const auto parts = run_results(std::vector{run}, terms);
  EXPECT_FALSE(parts.front().nodes);
  EXPECT_THAT(parts.front().nodes_unknown, HasSubstr("2 ranks on a host"));
  EXPECT_THROW(static_cast<void>(run_results(std::vector{run, run}, terms)), Error);
}

}  // namespace
}  // namespace stepmark
