// SPDX-License-Identifier: Apache-2.0
// Families in which several streams are at work, and what is derived whatever the family.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "results/compare/case_compare.h"
#include "results/families/derive.h"
#include "results/record/record.h"
#include "synthetic.h"

namespace stepmark {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

TEST(DeriveGroups, SlowdownAndBandwidthOfEachAxis) {
  const Record r = synthetic::groups(20);
  // tp: 4 calls of 1 MB all-reduce over 2 ranks (factor 1): 2 ms alone, 3 ms together.
  EXPECT_NEAR(*r.metric("tp_slowdown")->value, 1.5, 1e-12);
  EXPECT_NEAR(*r.metric("tp_busbw_alone")->value, 4e6 / 2e-3 / 1e9, 1e-12);
  EXPECT_NEAR(*r.metric("tp_busbw_together")->value, 4e6 / 3e-3 / 1e9, 1e-12);
  // dp: 2 calls of 8 MB reduce-scatter over 2 ranks (factor 1/2): 4 ms alone, 5 ms together.
  EXPECT_NEAR(*r.metric("dp_slowdown")->value, 1.25, 1e-12);
  EXPECT_NEAR(*r.metric("dp_busbw_alone")->value, 0.5 * 16e6 / 4e-3 / 1e9, 1e-12);
  EXPECT_NEAR(*r.metric("against_sequential")->value, 5.0 / 6.0, 1e-12);
  EXPECT_FALSE(r.metric("tp_slowdown")->higher_is_better);
}

// Of a plan a call is several ops, whose bytes on the links are counted.
TEST(DeriveGroups, BandwidthOfAPlansGroupIsOfTheBytesThatItCounts) {
  Record r = synthetic::groups(20);
  std::erase_if(r.texts, [](const auto& text) { return text.first == "tp_op"; });
  r.texts.emplace_back("tp_op", "all_gather bf16 x 8, reduce_scatter bf16 x 4");
  r.numbers.emplace_back("tp_bus_bytes", 3e6);
  derive(r);
  EXPECT_NEAR(*r.metric("tp_busbw_alone")->value, 4 * 3e6 / 2e-3 / 1e9, 1e-12);
  EXPECT_NEAR(*r.metric("tp_busbw_together")->value, 4 * 3e6 / 3e-3 / 1e9, 1e-12);
  EXPECT_NEAR(*r.metric("dp_busbw_alone")->value, 0.5 * 16e6 / 4e-3 / 1e9, 1e-12);
  EXPECT_THAT(r.labels, testing::IsEmpty());
}

TEST(DeriveGroups, AMissingSeriesCostsItsFiguresOnly) {
  Record r = synthetic::groups(20);
  std::erase_if(r.series, [](const Series& s) { return s.name == "tp_alone_s"; });
  derive(r);
  for (const char* name : {"tp_slowdown", "tp_busbw_alone", "against_sequential"}) {
    EXPECT_FALSE(r.metric(name)->value) << name;
    EXPECT_EQ(r.metric(name)->note, "no samples in series 'tp_alone_s'") << name;
  }
  EXPECT_TRUE(r.metric("dp_slowdown")->value);
  EXPECT_THAT(r.labels, Contains("against_sequential is N/A: no samples in series 'tp_alone_s'"));
  EXPECT_EQ(r.series.size(), 4U);
}

TEST(DeriveGroups, WithoutAxesThereIsTheWholeTimeStill) {
  Record r = synthetic::groups(20);
  r.texts.clear();
  derive(r);
  EXPECT_TRUE(r.metric("together")->value);
  EXPECT_FALSE(r.metric("against_sequential")->value);
}

TEST(DeriveOverlap, AMissingSeriesIsNamed) {
  Record r = synthetic::overlap(20);
  std::erase_if(r.series, [](const Series& s) { return s.name == "comm_alone_s"; });
  derive(r);
  EXPECT_TRUE(r.metric("together")->value);
  EXPECT_EQ(r.metric("overlap_efficiency")->note, "no samples in series 'comm_alone_s'");
  EXPECT_EQ(r.metric("gflops_alone")->note, "no samples in series 'comm_alone_s'");
}

// Tc = 3 ms, Tm = 2 ms, To = 4 ms: half of the shorter side was hidden, 1 ms is exposed.
TEST(DeriveOverlap, EfficiencyExposureAndSlowdowns) {
  const Record r = synthetic::overlap(20);
  EXPECT_NEAR(*r.metric("overlap_efficiency")->value, 0.5, 1e-12);
  EXPECT_NEAR(*r.metric("exposed_comm")->value, 1e-3, 1e-15);
  EXPECT_NEAR(*r.metric("compute_slowdown")->value, 3.6 / 3.0, 1e-12);
  EXPECT_NEAR(*r.metric("comm_slowdown")->value, 2.0, 1e-12);
  EXPECT_NEAR(*r.metric("busbw_alone")->value, 1.5 * 10e6 / 2e-3 / 1e9, 1e-12);
  EXPECT_NEAR(*r.metric("gflops_alone")->value, 5 * 1e9 / 3e-3 / 1e9, 1e-9);
}

// Over half of the ranks the bus factor of all-reduce is 1 instead of 1.5.
TEST(DeriveOverlap, OfAPlanTheGroupsRanksCount) {
  Record r = synthetic::overlap(20);
  r.numbers.emplace_back("group_ranks", 2);
  derive(r);
  EXPECT_NEAR(*r.metric("busbw_alone")->value, 10e6 / 2e-3 / 1e9, 1e-12);
}

TEST(DeriveOverlap, StandInHasNoBandwidth) {
  Record r = synthetic::overlap(20);
  std::erase_if(r.texts, [](const auto& text) { return text.first == "collective"; });
  derive(r);
  EXPECT_EQ(r.metric("busbw_alone"), nullptr);
  EXPECT_NEAR(*r.metric("overlap_efficiency")->value, 0.5, 1e-12);
}

TEST(DeriveOverlap, IntervalsTakeTheWorstEnds) {
  Record r = synthetic::overlap(20);
  for (std::size_t i = 0; i < 20; ++i)
    r.series[0].values[i] = 4e-3 + 1e-5 * static_cast<double>(i % 5);
  derive(r);
  const Summary& together = *r.summary("time_s");
  ASSERT_LT(together.lower, together.upper);
  EXPECT_NEAR(*r.metric("exposed_comm")->lower, together.lower - 3e-3, 1e-12);
  EXPECT_NEAR(*r.metric("exposed_comm")->upper, together.upper - 3e-3, 1e-12);
  EXPECT_NEAR(*r.metric("overlap_efficiency")->lower, (5e-3 - together.upper) / 2e-3, 1e-9);
}

TEST(DeriveEnergy, PerSampleCallAndToken) {
  auto step = synthetic::step("tiny", std::vector<double>(20, 0.01), false);
  step.numbers.emplace_back("joules_per_sample", 8.0);
  step.numbers.emplace_back("gap_s", 1e-4);
  derive(step);
  EXPECT_EQ(step.metric("energy")->value, 8.0);
  EXPECT_EQ(step.metric("tokens_per_joule")->value, 256.0);
  EXPECT_NEAR(*step.metric("gap")->value, 0.01, 1e-12);
  auto collective =
      synthetic::collective("all_reduce", 1 << 20, "in-place", std::vector<double>(20, 1e-3));
  EXPECT_EQ(collective.metric("energy"), nullptr);
  collective.numbers.emplace_back("joules_per_sample", 8.0);
  collective.numbers.emplace_back("calls_per_sample", 4.0);
  derive(collective);
  EXPECT_EQ(collective.metric("energy")->value, 2.0);
}

TEST(DeriveCollective, IsolatedAndFirstCallsAreFiguresOfTheirOwn) {
  auto r = synthetic::collective("all_reduce", 1 << 20, "in-place", std::vector<double>(20, 1e-3));
  EXPECT_EQ(r.metric("isolated"), nullptr);
  r.numbers.emplace_back("calls_per_sample", 1.0);
  r.numbers.emplace_back("first_call_s", 0.25);
  derive(r);
  EXPECT_EQ(*r.metric("isolated")->value, *r.metric("latency")->value);
  EXPECT_EQ(*r.metric("first_call")->value, 250000);
  r.series.push_back({.name = "isolated_s", .unit = "s", .values = std::vector<double>(20, 3e-3)});
  derive(r);
  EXPECT_NEAR(*r.metric("isolated")->value, 3000, 1e-9);
  EXPECT_NEAR(*r.metric("latency")->value, 1000, 1e-9);
}

TEST(DeriveKernel, BoundIsTheTimeThatThePeaksAllow) {
  const auto r = synthetic::kernel("gemm", 2.35e8, 1e6, std::vector<double>(20, 4e-3));
  EXPECT_NEAR(*r.metric("bound")->value, 1e-3, 1e-12);
  EXPECT_NEAR(*r.metric("roofline")->value, 0.25, 1e-12);
}

TEST(NotPerformance, NoFamilyHasAFigure) {
  const std::vector<double> times(20, 1e-2);
  for (Record r : {synthetic::collective("all_reduce", 1 << 20, "in-place", times),
                   synthetic::kernel("gemm", 1e8, 1e6, times), synthetic::step("t", times, false),
                   synthetic::groups(20), synthetic::overlap(20)}) {
    const std::size_t metrics = r.metrics.size();
    r.perf_valid = false;
    r.texts.emplace_back("topology", "single-gpu-timesliced");
    r.numbers.emplace_back("joules_per_sample", 8.0);
    derive(r);
    EXPECT_GT(r.metrics.size(), metrics);  // energy among them
    for (const Metric& metric : r.metrics) {
      EXPECT_FALSE(metric.value || metric.lower || metric.upper) << r.family << " " << metric.name;
      EXPECT_EQ(metric.note, "not performance: single-gpu-timesliced");
    }
    EXPECT_GT(r.summary("time_s")->median, 0);  // the time itself stays
    EXPECT_THAT(why_not_comparable(r, r), HasSubstr("baseline: not performance: single-gpu"));
  }
}

// Times of other counts of calls are times of other work.
TEST(Comparable, OtherCountsAreOtherWork) {
  const Record a = synthetic::overlap(20);
  Record b = a;
  EXPECT_EQ(why_not_comparable(a, b), "");
  for (auto& [name, value] : b.numbers) {
    if (name == "gemm_calls") value = 10;
  }
  EXPECT_EQ(why_not_comparable(a, b), "gemm_calls is 5 and 10");
}

}  // namespace
}  // namespace stepmark
