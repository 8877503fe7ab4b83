// SPDX-License-Identifier: Apache-2.0
// Cases that need several ranks. Runs on 2 and on 4.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "case_fixture.h"
#include "collectives/mpi/mpi_runtime.h"
#include "harness/cases/common.h"
#include "harness/cases/families/ablation.h"
#include "harness/cases/families/collective.h"
#include "harness/cases/families/groups.h"
#include "harness/cases/families/overlap.h"
#include "harness/cases/families/step.h"
#include "harness/spec/workload.h"
#include "wrapped_comm.h"

namespace stepmark {
namespace {

using test::CaseBench;
using test::completed;
using test::has_label;
using testing::HasSubstr;

struct CasesMpiTest : testing::Test {
  CaseBench bench;
  std::unique_ptr<Control> control = make_mpi_control();
  std::unique_ptr<Comm> mpi = make_mpi_comm();
  std::shared_ptr<test::WrappedComm::Behaviour> behaviour =
      std::make_shared<test::WrappedComm::Behaviour>();
  test::WrappedComm world{nullptr, *mpi, behaviour};
  CaseContext context = bench.context(*control, world);
  template <class Entry>
  std::unique_ptr<Case> only_case(const Entry& entry) {
    Expansion expansion;
    entry.expand({.size = control->size(), .workloads = {}}, expansion);
    EXPECT_EQ(expansion.cases.size(), 1U);
    return std::move(expansion.cases.front());
  }
  [[nodiscard]] bool root() const { return control->rank() == 0; }
  [[nodiscard]] bool both_axes() const { return control->size() == 4; }
};

GroupsEntry groups_entry(CollectiveKind tp, CollectiveKind dp) {
  return {.plans = {"tp=2,dp=2", "tp=2"},
          .traffic = {{.axis = "tp", .kind = tp, .bytes = 64 << 10},
                      {.axis = "dp", .kind = dp, .bytes = 256 << 10}},
          .dtype = DType::bf16,
          .calls = 3};
}

TEST_F(CasesMpiTest, GroupsAtTheSameTimeAndAlone) {
  for (const auto& [tp, dp] :
       {std::pair{CollectiveKind::all_reduce, CollectiveKind::reduce_scatter},
        {CollectiveKind::all_gather, CollectiveKind::broadcast},
        {CollectiveKind::all_to_all, CollectiveKind::send_recv}}) {
    const auto one = only_case(groups_entry(tp, dp));
    const Record record = completed(one->run(context), *one);
    ASSERT_EQ(record.outcome, Outcome::ok) << record.reason;
    EXPECT_EQ(record.text("axes"), both_axes() ? "tp,dp" : "tp");
    EXPECT_EQ(has_label(record, "one axis only"), !both_axes());
    EXPECT_TRUE(record.metric("tp_slowdown")->value);
    EXPECT_EQ(record.metric("dp_slowdown") != nullptr, both_axes());
    EXPECT_GE(record.number("tp_calls").value_or(0), 3);
    EXPECT_EQ(record.checks.size(), both_axes() ? 6U : 3U);
    EXPECT_EQ(record.series[1].name, "tp_together_s");
    ASSERT_EQ(record.series[1].values.size(), record.series[0].values.size());
    for (std::size_t i = 0; i < record.series[0].values.size(); ++i) {
      EXPECT_GT(record.series[1].values[i], 0);
    }
  }
}

// A group whose data is spoiled is found and named; the other axis of the plan is of another op.
TEST_F(CasesMpiTest, SpoiledGroupIsNamed) {
  behaviour->spoil_groups_of = 2;
  const auto one = only_case(groups_entry(CollectiveKind::all_gather, CollectiveKind::all_reduce));
  const Record record = one->run(context);
  if (both_axes()) {
    EXPECT_EQ(record.outcome, Outcome::failed);
    EXPECT_THAT(record.reason, HasSubstr("dp: every element exact together before timing"));
    EXPECT_THAT(record.reason, HasSubstr("1 of "));
    EXPECT_TRUE(record.series.empty());
  } else {
    EXPECT_EQ(record.outcome, Outcome::ok) << record.reason;  // only all_reduce is spoiled
  }
}

OverlapEntry overlap_entry() {
  return {.m = 96,
          .n = 64,
          .k = 64,
          .kinds = {CollectiveKind::all_reduce},
          .bytes = {64 << 10},
          .max_ctas = {0},
          .occupy_ctas = {1},
          .priorities = {"normal"}};
}

TEST_F(CasesMpiTest, OverlapOfACollective) {
  const auto one = only_case(overlap_entry());
  const Record record = completed(one->run(context), *one);
  ASSERT_EQ(record.outcome, Outcome::ok) << record.reason;
  EXPECT_TRUE(record.metric("overlap_efficiency")->value);
  EXPECT_TRUE(record.metric("busbw_together")->value);
  EXPECT_EQ(record.checks.back().name, "GEMM together as alone, bit for bit");
  behaviour->spoil_groups_of = control->size();
  const Record spoiled = one->run(context);
  EXPECT_EQ(spoiled.outcome, Outcome::failed);
  EXPECT_THAT(spoiled.reason, HasSubstr("every element exact alone before timing"));
}

// The smallest model there is, its batch spread over all ranks.
Workload small_workload() {
  Workload workload = read_workload(STEPMARK_CONFIGS "/workloads/tiny.yaml");
  workload.plan = parse_plan("seq=8,micro_batch=1,layers=1,clip=0", workload.plan);
  return workload;
}

// What is left out took a known time: a sleep within each sum over ranks, which no kernel hides.
TEST_F(CasesMpiTest, WhatAnAxisCostsIsWhatIsSavedWithoutIt) {
  constexpr double kLongerS = 0.1;
  behaviour->all_reduce_takes = std::chrono::milliseconds(100);
  const std::vector<Workload> workloads{small_workload()};
  const SuiteWorld here{.size = control->size(), .workloads = workloads};
  Expansion expansion;
  const AblationEntry entry{.workload = "tiny", .plans = {"tp=1"}, .parts = {"dp", "tp"}};
  entry.expand(here, expansion);
  ASSERT_EQ(expansion.cases.size(), 1U);
  EXPECT_THAT(expansion.remarks,
              testing::ElementsAre(testing::AllOf(HasSubstr("no tp to leave out of"),
                                                  HasSubstr("there is dp, compute"))));
  context.rule.min_samples = context.rule.max_samples = 4;
  const Record record = completed(expansion.cases.front()->run(context), *expansion.cases.front());
  ASSERT_EQ(record.outcome, Outcome::ok) << record.reason;
  EXPECT_EQ(record.text("part"), "dp");
  ASSERT_EQ(record.series.size(), 3U);
  const auto& [whole, without, saved] =
      std::tie(record.series[0].values, record.series[1].values, record.series[2].values);
  ASSERT_EQ(whole.size(), without.size());
  ASSERT_EQ(whole.size(), saved.size());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    EXPECT_DOUBLE_EQ(saved[i], whole[i] - without[i]);
    EXPECT_GE(whole[i], kLongerS);
  }
  EXPECT_GT(*record.metric("saved")->value, kLongerS / 2);
  EXPECT_GT(*record.metric("exposed")->value, kLongerS / 2);
  EXPECT_NEAR(*record.metric("saved_share")->value,
              *record.metric("saved")->value / record.summary("time_s")->median, 1e-12);
}

// A rank that begins everything late.
class LateControl final : public Control {
 public:
  LateControl(Control& inner, int late, std::chrono::milliseconds by)
      : inner_(inner), late_(late), by_(by) {}
  [[nodiscard]] int rank() const override { return inner_.rank(); }
  [[nodiscard]] int size() const override { return inner_.size(); }
  [[nodiscard]] int local_rank() const override { return inner_.local_rank(); }
  [[nodiscard]] int local_size() const override { return inner_.local_size(); }
  void barrier() override {
    inner_.barrier();
    if (rank() == late_) std::this_thread::sleep_for(by_);
  }
  void max_in_place(std::span<double> values) override { inner_.max_in_place(values); }
  [[nodiscard]] std::string broadcast(std::string text) override {
    return inner_.broadcast(std::move(text));
  }
  [[nodiscard]] std::vector<std::string> gather(const std::string& text) override {
    return inner_.gather(text);
  }

 private:
  Control& inner_;
  int late_;
  std::chrono::milliseconds by_;
};

// The straggler is who is waited for; it waits for nobody, and its own transfers are not long.
TEST_F(CasesMpiTest, ALateRankIsTheOneThatOthersWaitFor) {
  constexpr double kLateS = 0.1;
  LateControl late(*control, 1, std::chrono::milliseconds(100));
  CaseContext of_late = bench.context(late, world);
  of_late.rule.min_samples = of_late.rule.max_samples = 3;
  const Workload workload = small_workload();
  const Plan plan = resolve(workload.plan, workload.model, control->size());
  const auto one = make_step_case(workload, plan);
  const Record record = completed(one->run(of_late), *one);
  ASSERT_EQ(record.outcome, Outcome::ok) << record.reason;
  if (!root()) return;
  const int ranks = control->size();
  EXPECT_EQ(record.number("waited_for_rank"), 1);
  EXPECT_EQ(record.number("clock_error_s"), 0);  // one host
  EXPECT_GT(record.number("waited_for_s").value_or(0), 0.8 * kLateS * (ranks - 1) / ranks);
  EXPECT_GE(record.number("waiting_s").value_or(0), record.number("waited_for_s").value_or(1));
  EXPECT_THAT(record.metric("waiting")->note, HasSubstr("rank 1 came last for"));
  bool drawn = false;
  for (const TimelineSpan& span : record.timeline) {
    if (span.phase != "waiting" || span.end_s - span.begin_s < kLateS / 2) continue;
    drawn = true;
    EXPECT_NE(span.rank, 1);
    EXPECT_THAT(span.label, HasSubstr("waiting for rank 1"));
  }
  EXPECT_TRUE(drawn);
}

CollectiveEntry collective_entry(CollectiveKind kind) { return {{.kinds = {kind}, .sizes = {64}}}; }

TEST_F(CasesMpiTest, CollectivesHaveIsolatedAndFirstCalls) {
  behaviour->facts = {{"topology", "single-gpu-timesliced"}, {"algorithm", "ring"}};
  const auto one = only_case(collective_entry(CollectiveKind::all_reduce));
  Record record = one->run(context);
  ASSERT_EQ(record.outcome, Outcome::ok) << record.reason;
  EXPECT_FALSE(record.perf_valid);
  EXPECT_EQ(record.text("algorithm"), "ring");
  EXPECT_GT(record.number("first_call_s").value_or(0), 0);
  EXPECT_FALSE(completed(record, *one).metric("busbw")->value);
  if (record.number("calls_per_sample") > 1.0) {
    ASSERT_EQ(record.series.size(), 2U);
    EXPECT_EQ(record.series[1].name, "isolated_s");
  }
}

TEST_F(CasesMpiTest, BarrierHoldsEverybodyBackOrFails) {
  const auto one = only_case(collective_entry(CollectiveKind::barrier));
  const Record good = one->run(context);
  ASSERT_EQ(good.outcome, Outcome::ok) << good.reason;
  EXPECT_EQ(good.checks.front().name, "nobody leaves before everybody came before timing");
  behaviour->barrier_lets_through = true;
  const Record open = one->run(context);
  EXPECT_EQ(open.outcome, Outcome::failed);
  EXPECT_THAT(open.reason, HasSubstr("ranks left before rank"));
}

// A size without elements that got here all the same is no success.
TEST_F(CasesMpiTest, NothingCheckedIsAFailedCheck) {
  Record record;
  EXPECT_FALSE(add_verification(record, *control, "every element exact", Verification{}));
  EXPECT_EQ(record.outcome, Outcome::failed);
  EXPECT_THAT(record.reason, HasSubstr("not one element was checked"));
}

// Each rank's device is another; one of them tells nothing of itself.
TEST_F(CasesMpiTest, TelemetryIsOfAllRanks) {
  const int rank = control->rank();
  const int last = control->size() - 1;
  test::FixedTelemetry telemetry(
      test::watts(fmt::format("GPU-{}", rank), 400 + rank, 10.0 * (rank + 1)));
  context.telemetry = &telemetry;
  const auto one = only_case(overlap_entry());
  const Record all = one->run(context);
  if (root()) {
    EXPECT_EQ(all.number("gpu_power_w"), 400.0 + last);
    EXPECT_EQ(all.number("gpu_sm_clock_mhz_min"), 1600.0 - last);
    EXPECT_EQ(all.number("energy_j"), 5.0 * control->size() * (control->size() + 1));
  }
  if (rank == last) context.telemetry = nullptr;
  const Record some = one->run(context);
  ASSERT_EQ(some.outcome, Outcome::ok) << some.reason;
  if (root()) {
    EXPECT_EQ(some.number("gpu_power_w"), 400.0 + last - 1);
    EXPECT_FALSE(some.number("energy_j"));  // not that of the world
  }
}

}  // namespace
}  // namespace stepmark
