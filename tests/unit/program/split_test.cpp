// SPDX-License-Identifier: Apache-2.0
#include "harness/program/timeline/split.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace stepmark {
namespace {

Op kernel_op(Phase phase, std::vector<std::int32_t> deps = {}) {
  Op op;
  op.label = "kernel";
  op.phase = phase;
  op.stream = 0;
  op.kernel = OpShape{};
  op.deps = std::move(deps);
  return op;
}

Op comm_op(const char* axis, std::int32_t stream) {
  Op op;
  op.label = axis;
  op.stream = stream;
  op.comm = CommShape{};
  op.comm->axis = axis;
  return op;
}

// Nanoseconds by part, and their sum.
std::map<std::string, std::int64_t> parts_ns(const Program& program, const Timeline& timeline) {
  std::map<std::string, std::int64_t> parts;
  for (const SplitPart& part : split_step(program, timeline).parts) {
    const std::int64_t ns = std::llround(part.seconds * 1e9);
    parts[part.name] += ns;
    parts["sum"] += ns;
  }
  return parts;
}

// compute: k0 [0,100)  waits for tp until 180  k2 [180,300)  waits until 340 for tp and dp, of
// which dp ends last  optimizer [350,400), after 10 ns of dispatch; step ends at 420.
TEST(StepSplitTest, PartsAddUpToTheStep) {
  Program program;
  program.streams = {"compute", "tp", "dp"};
  program.ops = {kernel_op(Phase::forward), comm_op("tp", 1), kernel_op(Phase::backward, {1}),
                 comm_op("tp", 1),          comm_op("dp", 2), kernel_op(Phase::optimizer, {3, 4})};
  Timeline timeline;
  timeline.step_ns = 420;
  timeline.spans = {{.op = 0, .begin_ns = 0, .end_ns = 100, .wait_ns = 0},
                    {.op = 1, .begin_ns = 100, .end_ns = 180, .wait_ns = 0},
                    {.op = 2, .begin_ns = 180, .end_ns = 300, .wait_ns = 80},
                    {.op = 3, .begin_ns = 190, .end_ns = 310, .wait_ns = 0},
                    {.op = 4, .begin_ns = 190, .end_ns = 340, .wait_ns = 0},
                    {.op = 5, .begin_ns = 350, .end_ns = 400, .wait_ns = 40}};
  const auto parts = parts_ns(program, timeline);
  EXPECT_EQ(parts.at("compute"), 220);
  EXPECT_EQ(parts.at("exposed tp"), 80);
  EXPECT_EQ(parts.at("exposed dp"), 40);
  EXPECT_EQ(parts.at("optimizer"), 50);
  EXPECT_EQ(parts.at("overhead"), 30);
  EXPECT_EQ(parts.at("sum"), timeline.step_ns);
}

TEST(StepSplitTest, CommunicationAfterTheLastKernelIsExposed) {
  Program program;
  program.streams = {"compute", "dp"};
  program.ops = {kernel_op(Phase::backward), comm_op("dp", 1)};
  Timeline timeline;
  timeline.step_ns = 205;
  timeline.spans = {{.op = 0, .begin_ns = 5, .end_ns = 100, .wait_ns = 0},
                    {.op = 1, .begin_ns = 90, .end_ns = 200, .wait_ns = 0}};
  const auto parts = parts_ns(program, timeline);
  EXPECT_EQ(parts.at("compute"), 95);
  EXPECT_EQ(parts.at("exposed dp"), 100);
  EXPECT_EQ(parts.at("overhead"), 10);
  EXPECT_EQ(parts.at("sum"), timeline.step_ns);
}

// The compute stream stands still in [100,180) for op 2, which is behind op 1 on its stream. The
// others came to op 1 at 130, and to op 2, which begins at 150, at 160; op 3 is on the compute
// stream.
TEST(StepSplitTest, WhatPassesBeforeTheLastRankComesIsWaiting) {
  Program program;
  program.streams = {"compute", "tp"};
  program.ops = {kernel_op(Phase::forward), comm_op("tp", 1), comm_op("tp", 1), comm_op("dp", 0),
                 kernel_op(Phase::backward, {2})};
  Timeline timeline;
  timeline.step_ns = 400;
  timeline.spans = {{.op = 0, .begin_ns = 0, .end_ns = 100, .wait_ns = 0},
                    {.op = 1, .begin_ns = 90, .end_ns = 150, .wait_ns = 0},
                    {.op = 2, .begin_ns = 150, .end_ns = 180, .wait_ns = 0},
                    {.op = 3, .begin_ns = 180, .end_ns = 230, .wait_ns = 80},
                    {.op = 4, .begin_ns = 230, .end_ns = 400, .wait_ns = 0}};
  program.ops[3].deps = {2};
  const Arrivals arrivals{{1, {.at_ns = 130, .rank = 3}},
                          {2, {.at_ns = 160, .rank = 1}},
                          {3, {.at_ns = 900, .rank = 1}}};
  const StepSplit split = split_step(program, timeline, arrivals);
  std::map<std::string, std::int64_t> parts;
  for (const SplitPart& part : split.parts) parts[part.name] = std::llround(part.seconds * 1e9);
  EXPECT_EQ(parts.at("compute"), 270);
  EXPECT_EQ(parts.at("waiting tp"), 30 + 10);
  EXPECT_EQ(parts.at("exposed tp"), 20 + 20);
  EXPECT_EQ(parts.at("waiting dp"), 50);  // all of it: who comes later than the end is not seen yet
  EXPECT_EQ(parts.count("exposed dp"), 0U);
  EXPECT_EQ(parts.at("overhead"), 0);
  EXPECT_NEAR(split.waited_for_s.at(3), 30e-9, 1e-15);
  EXPECT_NEAR(split.waited_for_s.at(1), 60e-9, 1e-15);
}

TEST(StepSplitTest, HiddenCommunicationCostsNothing) {
  Program program;
  program.streams = {"compute", "dp"};
  program.ops = {kernel_op(Phase::backward), comm_op("dp", 1), kernel_op(Phase::backward, {1})};
  Timeline timeline;
  timeline.step_ns = 200;
  timeline.spans = {{.op = 0, .begin_ns = 0, .end_ns = 100, .wait_ns = 0},
                    {.op = 1, .begin_ns = 10, .end_ns = 90, .wait_ns = 0},
                    {.op = 2, .begin_ns = 100, .end_ns = 200, .wait_ns = 0}};
  const auto parts = parts_ns(program, timeline);
  EXPECT_EQ(parts.count("exposed dp"), 0U);
  EXPECT_EQ(parts.at("compute"), 200);
  EXPECT_EQ(parts.at("overhead"), 0);
}

// compute: k0 [0,100)  k1 [100,200)  waits until 260 for o2  end. optimizer: o1 [100,150) beside
// k1; o2 waits from 150 to 230 for dp, [230,260).  dp [90,230). Then o3 [265,300) with nothing
// else.
TEST(StepSplitTest, OptimizerBesideComputeIsNoPart) {
  Program program;
  program.streams = {"compute", "optimizer-low", "dp"};
  const auto beside = [](std::vector<std::int32_t> deps) {
    Op op = kernel_op(Phase::optimizer, std::move(deps));
    op.stream = 1;
    return op;
  };
  program.ops = {kernel_op(Phase::backward),
                 comm_op("dp", 2),
                 beside({0}),
                 beside({1}),
                 kernel_op(Phase::backward),
                 kernel_op(Phase::optimizer, {3}),
                 beside({})};
  Timeline timeline;
  timeline.step_ns = 305;
  timeline.spans = {{.op = 0, .begin_ns = 0, .end_ns = 100, .wait_ns = 0},
                    {.op = 1, .begin_ns = 90, .end_ns = 230, .wait_ns = 0},
                    {.op = 2, .begin_ns = 100, .end_ns = 150, .wait_ns = 0},
                    {.op = 3, .begin_ns = 230, .end_ns = 260, .wait_ns = 80},
                    {.op = 4, .begin_ns = 100, .end_ns = 200, .wait_ns = 0},
                    {.op = 5, .begin_ns = 260, .end_ns = 262, .wait_ns = 60},
                    {.op = 6, .begin_ns = 265, .end_ns = 300, .wait_ns = 0}};
  const auto parts = parts_ns(program, timeline);
  EXPECT_EQ(parts.at("compute"), 200);
  EXPECT_EQ(parts.at("exposed dp"), 30);          // o2 stood still for it in [200,230)
  EXPECT_EQ(parts.at("optimizer"), 2 + 30 + 35);  // on compute, waited for, after the end
  EXPECT_EQ(parts.at("overhead"), 305 - 200 - 30 - 67);
  EXPECT_EQ(parts.at("sum"), timeline.step_ns);
  EXPECT_NEAR(split_step(program, timeline).optimizer_overlapped_s, 50e-9, 1e-15);
}

TEST(StepSplitTest, OptimizerHiddenWholeCostsNothing) {
  Program program;
  program.streams = {"compute", "optimizer-low"};
  Op beside = kernel_op(Phase::optimizer, {0});
  beside.stream = 1;
  program.ops = {kernel_op(Phase::backward), beside, kernel_op(Phase::backward)};
  Timeline timeline;
  timeline.step_ns = 210;
  timeline.spans = {{.op = 0, .begin_ns = 0, .end_ns = 100, .wait_ns = 0},
                    {.op = 1, .begin_ns = 110, .end_ns = 190, .wait_ns = 10},
                    {.op = 2, .begin_ns = 100, .end_ns = 210, .wait_ns = 0}};
  const auto parts = parts_ns(program, timeline);
  EXPECT_EQ(parts.at("compute"), 210);
  EXPECT_EQ(parts.at("optimizer"), 0);
  EXPECT_EQ(parts.at("sum"), timeline.step_ns);
  EXPECT_NEAR(split_step(program, timeline).optimizer_overlapped_s, 80e-9, 1e-15);
}

// Streams overlap in [50, 80) and nothing runs in [100, 120).
TEST(BusySecondsTest, CountsTimeInWhichAnyStreamIsAtWork) {
  Timeline timeline;
  timeline.step_ns = 150;
  timeline.spans = {{.op = 0, .begin_ns = 120, .end_ns = 150, .wait_ns = 0},
                    {.op = 1, .begin_ns = 0, .end_ns = 80, .wait_ns = 0},
                    {.op = 2, .begin_ns = 50, .end_ns = 100, .wait_ns = 0},
                    {.op = 3, .begin_ns = 60, .end_ns = 70, .wait_ns = 0}};
  EXPECT_NEAR(busy_seconds(timeline), 130e-9, 1e-15);
  timeline.mark_ns = 10;
  EXPECT_LT(busy_seconds(timeline), 130e-9) << "what taking spans costs is no work";
  timeline.mark_ns = 1000;
  EXPECT_EQ(busy_seconds(timeline), 0.0);
  EXPECT_EQ(busy_seconds({}), 0.0);
}

}  // namespace
}  // namespace stepmark
