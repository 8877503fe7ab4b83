// SPDX-License-Identifier: Apache-2.0
// Groups and overlaps that are taken from the programs of plans, whose ranks differ. Runs on 2 and
// on 4.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "case_fixture.h"
#include "collectives/mpi/mpi_runtime.h"
#include "harness/cases/families/groups.h"
#include "harness/cases/families/overlap.h"
#include "harness/program/step.h"
#include "harness/spec/step_groups.h"
#include "harness/spec/workload.h"
#include "results/families/family.h"
#include "wrapped_comm.h"

namespace stepmark {
namespace {

using test::CaseBench;
using test::completed;
using testing::HasSubstr;

// The smallest step of a tied model, whose first and last stage share a table; of one with experts.
Workload small_workload(const char* name) {
  Workload workload = read_workload(fmt::format("{}/workloads/{}.yaml", STEPMARK_CONFIGS, name));
  workload.plan = parse_plan("seq=8,micro_batch=2,layers=2", workload.plan);
  Model& model = workload.model;
  model.hidden = 64;
  model.head_dim = model.hidden / model.heads;
  model.ffn = 128;
  model.vocab = 128;
  return workload;
}

struct PlanCasesMpiTest : testing::Test {
  CaseBench bench;
  std::unique_ptr<Control> control = make_mpi_control();
  std::unique_ptr<Comm> mpi = make_mpi_comm();
  std::shared_ptr<test::WrappedComm::Behaviour> behaviour =
      std::make_shared<test::WrappedComm::Behaviour>();
  test::WrappedComm world{nullptr, *mpi, behaviour};
  CaseContext context = bench.context(*control, world);
  const std::vector<Workload> workloads{small_workload("tiny"), small_workload("tiny-mixtral")};

  PlanCasesMpiTest() {
    context.rule.min_samples = context.rule.max_samples = 3;
    context.rule.budget_s = 0.2;
  }
  [[nodiscard]] std::vector<std::string> plans() const {
    if (control->size() == 2) {
      return {"tp=2", "pp=2,accumulation=4", "pp=2,p2p=batched,accumulation=4", "zero=3",
              "ep=2,routing=zipf"};
    }
    return {"dp=2,tp=2",
            "pp=2,accumulation=4",
            "pp=4,accumulation=4,layers=4",
            "zero=3,shard=2",
            "tp=2,sp=on,pp=2,zero=1,accumulation=2,precision=bf16",
            "ep=2,tp=2,routing=zipf",
            "ep=4,routing=router,zero=1,precision=bf16"};
  }
  [[nodiscard]] const Workload& workload_of(const std::string& plan) const {
    return workloads[plan.starts_with("ep=") ? 1 : 0];
  }
  [[nodiscard]] Plan resolved(const std::string& text) const {
    const Workload& workload = workload_of(text);
    return resolve(parse_plan(text, workload.plan), workload.model, control->size());
  }
  template <class Entry>
  std::vector<std::unique_ptr<Case>> cases_of(const Entry& entry) {
    Expansion expansion;
    entry.expand({.size = control->size(), .workloads = workloads}, expansion);
    return std::move(expansion.cases);
  }
  std::unique_ptr<Case> groups_case(const std::string& plan) {
    auto cases =
        cases_of(PlanGroupsEntry{.of = {.workload = workload_of(plan).name, .plans = {plan}}});
    EXPECT_EQ(cases.size(), 1U);
    return std::move(cases.front());
  }
  [[nodiscard]] bool root() const { return control->rank() == 0; }
};

// All groups in which anybody talks, with what the rank that moves most counts of its program.
TEST_F(PlanCasesMpiTest, GroupsOfAPlanAtTheSameTimeAndAlone) {
  for (const std::string& text : plans()) {
    SCOPED_TRACE(text);
    const auto one = groups_case(text);
    const Plan plan = resolved(text);
    EXPECT_EQ(one->id(), fmt::format("groups/{}/{}", workload_of(text).name, short_name(plan)));
    const Record record = completed(one->run(context), *one);
    ASSERT_EQ(record.outcome, Outcome::ok) << record.reason;
    const Model model = sliced(workload_of(text).model, plan);
    const StepGroups groups(model, plan);
    std::vector<std::string> expected;
    for (const std::string& name : groups.names()) {
      double ops = 0;
      double bytes = 0;
      for (int rank = 0; rank < control->size(); ++rank) {
        const Program program = step_program(model, plan, rank);
        if (const double own = bus_bytes(program, program.group(name)); own > bytes) {
          bytes = own;
          ops = static_cast<double>(
              std::count_if(program.ops.begin(), program.ops.end(),
                            [&](const Op& op) { return op.comm && op.comm->axis == name; }));
        }
      }
      if (ops == 0) continue;
      expected.push_back(name);
      EXPECT_EQ(record.number(name + "_ops_per_step"), ops) << name;
      EXPECT_EQ(record.number(name + "_bus_bytes"), bytes) << name;
      EXPECT_THAT(record.text(name + "_op"), HasSubstr(" x ")) << name;
      const double calls = record.number(name + "_calls").value_or(0);
      EXPECT_GE(calls, 1) << name;
      for (const char* side : {"alone", "together"}) {
        const auto* time = record.summary(fmt::format("{}_{}_s", name, side));
        ASSERT_NE(time, nullptr) << name;
        EXPECT_GT(time->min, 0) << name;
        const auto* busbw = record.metric(fmt::format("{}_busbw_{}", name, side));
        ASSERT_TRUE(busbw != nullptr && busbw->value) << name;
        EXPECT_NEAR(*busbw->value, bytes * calls * 1e-9 / time->median, 1e-9 * *busbw->value);
      }
      EXPECT_TRUE(record.metric(name + "_slowdown")->value) << name;
    }
    EXPECT_EQ(list_of(record.text("axes")), expected);
    EXPECT_EQ(record.checks.size(), 3 * expected.size());
    for (const Check& check : record.checks) {
      EXPECT_TRUE(check.passed) << check.name;
      EXPECT_THAT(check.detail, testing::Not(HasSubstr("all 0 "))) << check.name;
    }
  }
}

// The embedding's group has no part for the stages in the middle.
TEST_F(PlanCasesMpiTest, AGroupThatOnlySomeRanksHave) {
  if (control->size() < 4) return;  // no stage in the middle
  const auto one = groups_case("pp=4,accumulation=4,layers=4");
  const Record record = one->run(context);
  ASSERT_EQ(record.outcome, Outcome::ok) << record.reason;
  EXPECT_THAT(list_of(record.text("axes")), testing::Contains("embedding"));
  EXPECT_EQ(record.number("embedding_ranks"), 2);
  EXPECT_EQ(record.number("pp.forward.odd_ops_per_step"), 4);  // rank 0 has none of them
}

TEST_F(PlanCasesMpiTest, WhatIsSpoiledIsFoundAndItsGroupNamed) {
  behaviour->spoil_groups_of = 2;
  const auto reduced = groups_case(control->size() == 2 ? "tp=2" : "dp=2,tp=2")->run(context);
  EXPECT_EQ(reduced.outcome, Outcome::failed);
  EXPECT_THAT(reduced.reason, HasSubstr("tp: every element exact together before timing"));
  behaviour->spoil_groups_of = 0;
  behaviour->spoil_messages = true;
  for (const char* batched : {"", ",p2p=batched"}) {
    const auto record = groups_case(fmt::format("pp=2,accumulation=4{}", batched))->run(context);
    EXPECT_EQ(record.outcome, Outcome::failed) << batched;
    EXPECT_THAT(record.reason, HasSubstr("pp"));
    if (root()) {
      EXPECT_THAT(record.reason, HasSubstr("1 of 1024 elements wrong"));
    }
    EXPECT_TRUE(record.series.empty());
  }
}

TEST_F(PlanCasesMpiTest, SpoiledRowsOfAnExchangeAreFound) {
  behaviour->spoil_exchanges = true;
  const auto record = groups_case(fmt::format("ep={}", control->size()))->run(context);
  EXPECT_EQ(record.outcome, Outcome::failed);
  EXPECT_THAT(record.reason, HasSubstr("ep: every element exact together before timing"));
}

TEST_F(PlanCasesMpiTest, BuffersThatDoNotFitAreNotMeasured) {
  context.memory_limit_bytes = 1024;
  const auto record = groups_case("tp=2")->run(context);
  EXPECT_EQ(record.outcome, Outcome::not_measured);
  EXPECT_THAT(record.reason, HasSubstr("buffers of all its different calls need"));
  const auto overlap =
      cases_of(PlanOverlapEntry{.of = {.workload = workload_of("tp=2").name, .plans = {"tp=2"}},
                                .max_ctas = {0},
                                .priorities = {"normal"}});
  const Record beside = overlap.front()->run(context);
  EXPECT_EQ(beside.outcome, Outcome::not_measured);
  EXPECT_THAT(beside.reason, HasSubstr("operands of both sides need"));
  EXPECT_THAT(beside.reason, HasSubstr("micro_batch"));
}

TEST_F(PlanCasesMpiTest, OverlapsOfEveryGroupOfAPlan) {
  for (const std::string& text : plans()) {
    const Plan plan = resolved(text);
    const Model model = sliced(workload_of(text).model, plan);
    const std::vector<std::string> names = StepGroups(model, plan).names();
    const auto cases =
        cases_of(PlanOverlapEntry{.of = {.workload = workload_of(text).name, .plans = {text}},
                                  .max_ctas = {0},
                                  .priorities = {"normal"}});
    ASSERT_EQ(cases.size(), names.size());
    for (std::size_t i = 0; i < names.size(); ++i) {
      SCOPED_TRACE(cases[i]->id());
      EXPECT_EQ(cases[i]->id(), fmt::format("overlap/{}/{}/{}/ctas0/normal", workload_of(text).name,
                                            short_name(plan), names[i]));
      const Record record = completed(cases[i]->run(context), *cases[i]);
      ASSERT_EQ(record.outcome, Outcome::ok) << record.reason;
      EXPECT_EQ(record.text("group"), names[i]);
      EXPECT_EQ(record.number("ranks"), control->size());
      EXPECT_GE(record.number("group_ranks").value_or(0), 2);
      EXPECT_TRUE(record.metric("overlap_efficiency")->value);
      EXPECT_TRUE(record.metric("busbw_together")->value);
      EXPECT_EQ(record.checks.back().name, "GEMM together as alone, bit for bit");
    }
  }
}

TEST_F(PlanCasesMpiTest, ASpoiledOverlapIsFound) {
  behaviour->spoil_groups_of = 2;
  const auto cases = cases_of(PlanOverlapEntry{
      .of = {.workload = "tiny", .plans = {"tp=2"}}, .max_ctas = {0}, .priorities = {"normal"}});
  const Record record = cases.front()->run(context);
  EXPECT_EQ(record.outcome, Outcome::failed);
  EXPECT_THAT(record.reason, HasSubstr("every element exact alone before timing"));
}

}  // namespace
}  // namespace stepmark
