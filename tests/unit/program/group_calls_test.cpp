// SPDX-License-Identifier: Apache-2.0
// The calls of a program by group against what the program counts of itself, over legal plans of
// every kind: nothing is left out, added or put in another order.
#include "harness/program/group_calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "core/error.h"
#include "harness/program/plan_space.h"
#include "harness/program/step_facts.h"
#include "harness/spec/step_groups.h"
#include "tests/unit/program/models.h"

namespace stepmark {
namespace {

// Every n-th of the list, so that all values of all keys are among them.
std::vector<Plan> some_plans(const Model& model) {
  constexpr std::size_t kEvery = 29;
  std::vector<Plan> plans;
  for (const char* context : {"", "cp=2", "cp=2,cp_kind=ring", "cp=2,cp_kind=ulysses"}) {
    const Plan base = parse_plan(context, parse_plan("precision=bf16,seq=16"));
    const auto all = legal_plans(model, base, {.ranks = 8, .global_batch = 16});
    for (std::size_t i = 0; i < all.size(); i += kEvery) plans.push_back(all[i]);
  }
  EXPECT_GT(plans.size(), 20U);
  return plans;
}

void expect_counted(const Program& program, const StepFacts& facts) {
  const std::vector<GroupCalls> groups = calls_by_group(program);
  ASSERT_EQ(groups.size(), program.groups.size());
  std::map<std::string, std::map<std::string, int>> calls;
  std::map<std::string, double> bytes;
  std::map<double, const CommShape*> in_order;  // of all groups
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const GroupCalls& of = groups[i];
    EXPECT_EQ(of.group, program.groups[i]);
    double last = 0;
    double group_bytes = 0;
    for (const GroupCalls::Call& call : of.calls) {
      const CommShape& shape = of.distinct.at(call.distinct);
      const std::string axis(axis_of(shape.axis));
      ++calls[axis][std::string(name_of(shape.verb))];
      group_bytes += bus_bytes(shape, of.group);
      EXPECT_GT(call.at, last);
      EXPECT_TRUE(in_order.emplace(call.at, &shape).second);
      last = call.at;
    }
    EXPECT_LT(last, 1.0);
    EXPECT_DOUBLE_EQ(group_bytes, bus_bytes(program, of.group));
    bytes[std::string(axis_of(of.group.axis))] += group_bytes;
  }
  for (const auto& [axis, traffic] : facts.traffic) {
    EXPECT_EQ(calls[axis], traffic.calls) << axis;
    EXPECT_DOUBLE_EQ(bytes[axis], traffic.bus_bytes) << axis;
  }
  auto next = in_order.begin();
  for (const Op& op : program.ops) {
    if (!op.comm) continue;
    ASSERT_NE(next, in_order.end());
    EXPECT_EQ(*next->second, *op.comm);
    ++next;
  }
  EXPECT_EQ(next, in_order.end());
}

TEST(GroupCalls, AreThoseThatTheProgramCounts) {
  std::set<std::string> seen;
  for (const Model& model : {small_gpt2(), small_llama()}) {
    for (const Plan& plan : some_plans(model)) {
      SCOPED_TRACE(model.name + " " + to_text(plan));
      const StepMesh mesh(plan);
      for (std::int32_t stage = 0; stage < mesh.stages(); ++stage) {
        const Program program = step_program(model, plan, mesh.first_rank_of(stage));
        expect_counted(program, facts_of_step(model, plan, program, {}));
        for (const Group& group : program.groups) seen.insert(group.axis);
      }
    }
  }
  for (const char* group : {"tp", "dp", "cp", "dp_cp", "pp.forward.even", "embedding"}) {
    EXPECT_TRUE(seen.contains(group)) << group;
  }
}

// Micro-batches repeat few calls.
TEST(GroupCalls, WhatRepeatsIsOneCall) {
  const Model model = small_llama();
  const Plan plan = resolve(parse_plan("tp=2,pp=2,accumulation=4"), model, 4);
  for (const GroupCalls& of : calls_by_group(step_program(model, plan, 0))) {
    if (of.group.axis == "tp") {
      EXPECT_GT(of.calls.size(), 4 * of.distinct.size());
    }
    if (of.group.axis != "pp.forward.even") continue;
    ASSERT_EQ(of.distinct.size(), 1U);
    EXPECT_EQ(of.distinct.front().send_peer, 1);
    EXPECT_EQ(of.calls.size(), 4U);
  }
}

TEST(GroupCalls, ACallInNoGroupIsAMistake) {
  Program program;
  program.ops.push_back({.label = "x", .comm = CommShape{.axis = "tp"}});
  EXPECT_THROW((void)calls_by_group(program), Error);
}

}  // namespace
}  // namespace stepmark
