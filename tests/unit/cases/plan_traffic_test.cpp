// SPDX-License-Identifier: Apache-2.0
// Calls of programs as traffic that is checked: the very call, for every verb that has a check; and
// messages, whose data say from whom to whom they are.
#include "harness/cases/plan_traffic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "collectives/message.h"
#include "harness/cases/agree.h"
#include "harness/cases/plan_overlap.h"
#include "kernels/ops/gemm.h"
#include "tests/unit/cases/case_fixture.h"
#include "tests/unit/program/models.h"

namespace stepmark {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

CommShape call_of(Verb verb) {
  CommShape shape{.verb = verb, .axis = "x", .dtype = DType::bf16, .count = 24};
  if (is_rooted(verb)) shape.root = 2;
  if (verb == Verb::send_recv) {
    shape.send_peer = 3;
    shape.recv_peer = 0;
  }
  if (verb == Verb::all_to_all_v) {
    shape.count = 0;
    shape.send_counts = {6, 0, 12, 6};
    shape.recv_counts = {0, 7, 19, 1};
  }
  return shape;
}

TEST(PlanTrafficTest, EveryVerbWithACheckBecomesTheVeryCall) {
  const Group group{.axis = "x", .ranks = {4, 5, 6, 7}, .index = 1};
  std::vector<Verb> without;
  for (const Verb verb : all_verbs()) {
    const auto traffic = traffic_of(call_of(verb), group, 1);
    if (!traffic) {
      without.push_back(verb);
      continue;
    }
    EXPECT_EQ(traffic->shape, call_of(verb)) << name_of(verb);
    EXPECT_EQ(traffic->setup.size_bytes, checked_size(call_of(verb), 4)) << name_of(verb);
    EXPECT_FALSE(traffic->setup.in_place);
  }
  EXPECT_THAT(without, ElementsAre(Verb::barrier));
}

TEST(PlanTrafficTest, OtherCallsAndOtherGroupsHaveOtherData) {
  const Group group{.axis = "x", .ranks = {0, 1, 2, 3}, .index = 1};
  Group neighbour = group;
  neighbour.ranks = {4, 5, 6, 7};
  const CommShape call = call_of(Verb::all_reduce);
  CommShape longer = call;
  longer.count = 25;
  const auto seed = [](const CommShape& shape, const Group& of) {
    return traffic_of(shape, of, 1)->setup.seed;
  };
  EXPECT_EQ(seed(call, group), seed(call, group));
  EXPECT_NE(seed(call, group), seed(longer, group));
  EXPECT_NE(seed(call, group), seed(call, neighbour));
}

struct MessageTest : testing::Test {
  CollectiveBuffers buffers(int rank, int send_peer, int recv_peer) {
    const Group group{.axis = "x", .ranks = {0, 1, 2}, .index = rank};
    CommShape shape = call_of(Verb::send_recv);
    shape.send_peer = send_peer;
    shape.recv_peer = recv_peer;
    const Traffic traffic = *traffic_of(shape, group, 7);
    CollectiveBuffers made(*bench.device, *traffic.collective, traffic.setup, rank, 3);
    made.fill();
    return made;
  }
  static void deliver(const CollectiveBuffers& from, const CollectiveBuffers& to) {
    std::memcpy(to.recv(), from.send(), 24 * size_of(DType::bf16));
  }
  test::CaseBench bench;
};

// The sender receives from somebody else by the same call, the receiver only receives.
TEST_F(MessageTest, BothEndsKnowWhatIsSent) {
  const CollectiveBuffers sender = buffers(0, 1, 2);
  const CollectiveBuffers receiver = buffers(1, -1, 0);
  EXPECT_THAT(receiver.verify().describe(), HasSubstr("never written"));
  deliver(sender, receiver);
  EXPECT_TRUE(receiver.verify().ok()) << receiver.verify().describe();
  EXPECT_EQ(receiver.verify().checked, 24);
  receiver.recv()[5] ^= std::byte{1};
  EXPECT_THAT(receiver.verify().describe(),
              HasSubstr("1 of 24 elements wrong, the first at index 2 (data of rank 0)"));
}

TEST_F(MessageTest, WhatIsForOrFromSomebodyElseIsWrong) {
  const CollectiveBuffers receiver = buffers(1, -1, 0);
  deliver(buffers(0, 2, -1), receiver);
  EXPECT_FALSE(receiver.verify().ok());
  deliver(buffers(2, 1, -1), receiver);
  EXPECT_FALSE(receiver.verify().ok());
}

// A rank without anything to receive has looked at its send buffer and guards alone.
TEST_F(MessageTest, OnlySendingLeavesNothingToReceive) {
  const CollectiveBuffers sender = buffers(0, 1, -1);
  EXPECT_EQ(sender.verify().checked, 0);
  EXPECT_TRUE(sender.verify().send_intact);
  EXPECT_TRUE(sender.verify().guards_intact);
  sender.send()[0] ^= std::byte{1};
  EXPECT_FALSE(sender.verify().send_intact);
}

TEST(PlanTrafficTest, OffersAreTheGreatestAndTheFirst) {
  const auto control = make_solo_control();
  const auto best = greatest_offers(*control, {{1.5, "a \"b\"\n"}, {0, ""}});
  ASSERT_EQ(best.size(), 2U);
  EXPECT_EQ(best[0].weight, 1.5);
  EXPECT_EQ(best[0].text, "a \"b\"\n");
  EXPECT_TRUE(best[1].text.empty());
}

// All of a program's calls, in its order, once it is on one rank.
TEST(PlanTrafficTest, LanesHaveTheCallsOfTheProgram) {
  const auto control = make_solo_control();
  const Model model = small_llama();
  const Plan plan = resolve(parse_plan("dp=2,tp=2,zero=1"), model, 4);
  const Program program = step_program(model, plan, 3);
  const PlanTraffic traffic = traffic_of_plan(*control, program, 1);
  ASSERT_EQ(traffic.lanes.size(), 2U);
  EXPECT_TRUE(traffic.problem.empty());
  std::size_t calls = 0;
  for (std::size_t i = 0; i < traffic.lanes.size(); ++i) {
    const GroupLane& lane = traffic.lanes[i];
    const GroupTraffic& of = traffic.groups[i];
    EXPECT_EQ(of.group, lane.group.axis);
    EXPECT_EQ(of.calls, std::ssize(lane.calls));
    EXPECT_EQ(of.ranks, 2);
    EXPECT_DOUBLE_EQ(of.bus_bytes, bus_bytes(program, lane.group));
    calls += lane.calls.size();
  }
  EXPECT_THAT(traffic.groups[0].ops, testing::StartsWith("all_reduce fp32 x "));
  EXPECT_THAT(traffic.groups[1].ops, HasSubstr("reduce_scatter fp32 x "));
  // Streams do not wait for each other, and the order of issue is the program's.
  const Program lanes = program_of_lanes(*control, traffic.lanes);
  ASSERT_EQ(lanes.ops.size(), calls);
  auto next = lanes.ops.begin();
  for (const Op& op : program.ops) {
    if (!op.comm) continue;
    EXPECT_EQ(*(next->comm), *op.comm);
    EXPECT_TRUE(next->deps.empty());
    ++next;
  }
}

// Nobody is left out silently.
TEST(PlanTrafficTest, ACallWithoutACheckIsNamed) {
  const auto control = make_solo_control();
  ProgramBuilder builder("p", 0, 2);
  builder.add_group({.axis = "x", .ranks = {0, 1}, .index = 0});
  builder.comm("meet", "x", {.verb = Verb::barrier, .axis = "x"}, {}, {});
  const PlanTraffic traffic = traffic_of_plan(*control, builder.program(), 1);
  EXPECT_EQ(traffic.problem, "x: no check of its elements for barrier");
  EXPECT_TRUE(traffic.lanes.empty());
}

// What rank i has for j is what j expects of i, and what nobody else has.
TEST(PlanTrafficTest, ExchangesHaveTheDataOfTheirPairs) {
  const std::vector<std::vector<std::int64_t>> sent{{2, 3}, {1, 4}};  // from, to
  const auto setup_of = [&](std::size_t rank) {
    return CollectiveSetup{
        .seed = 7, .send_counts = sent[rank], .recv_counts = {sent[0][rank], sent[1][rank]}};
  };
  for (int to = 0; to < 2; ++to) {
    std::size_t at = 0;
    for (int from = 0; from < 2; ++from) {
      const auto sender = static_cast<std::size_t>(from), own = static_cast<std::size_t>(to);
      const std::size_t before = to == 0 ? 0 : static_cast<std::size_t>(sent[sender][0]);
      for (std::int64_t i = 0; i < sent[sender][own]; ++i, ++at) {
        EXPECT_EQ(kExchange.origin(setup_of(own), 2, to, at), from);
        EXPECT_EQ(kExchange.expected(setup_of(own), 2, to, at),
                  kExchange.input(setup_of(sender), 2, from, before + static_cast<std::size_t>(i)));
      }
    }
    EXPECT_EQ(kExchange.sizes(setup_of(static_cast<std::size_t>(to)), 2).recv_count, at);
  }
  EXPECT_NE(kExchange.input(setup_of(0), 2, 0, 0), kExchange.input(setup_of(0), 2, 0, 2));
}

TEST(PlanTrafficTest, SidesAreTheLargestGemmAndTheBusiestCall) {
  const auto control = make_solo_control();
  const Model model = small_gpt2();
  const Plan plan = resolve(parse_plan("dp=2,tp=2,precision=bf16"), model, 4);
  const Program program = unfused_step_program(model, plan, 0);
  const PlanSides sides = sides_of_plan(*control, program, "dp");
  double largest = 0;
  for (const Op& op : program.ops) {
    if (op.kernel && op.kernel->id == OpId::gemm) largest = std::max(largest, flops_of(*op.kernel));
  }
  EXPECT_GE(flops_of(sides.gemm), 0.9 * largest);  // less what is accumulated
  EXPECT_EQ(unpack<GemmShape>(sides.gemm).accumulate, 0);
  EXPECT_EQ(sides.gemm.dtype, DType::bf16);
  ASSERT_TRUE(sides.comm);
  EXPECT_EQ(sides.comm->verb, Verb::all_reduce);
  EXPECT_EQ(sides.comm->dtype, DType::f32);
  EXPECT_EQ(sides.group_ranks, 2);
  const PlanSides tensor = sides_of_plan(*control, program, "tp");
  EXPECT_EQ(tensor.comm->dtype, DType::bf16);
  EXPECT_EQ(tensor.comm->count, plan.rank_tokens() * model.hidden);
}

}  // namespace
}  // namespace stepmark
