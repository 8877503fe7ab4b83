// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <stdexcept>

#include "core/error.h"
#include "harness/exec/executor.h"
#include "kernels/ops/gemm.h"
#include "kernels/ops/memory.h"
#include "tests/unit/exec/fake_comm.h"
#include "tests/unit/exec/programs.h"

namespace stepmark {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class HostExecutorTest : public ::testing::Test {
 protected:
  std::vector<float> read(Runnable& runnable, std::int32_t index) {
    const BufferDecl& decl = runnable.program().buffers[static_cast<std::size_t>(index)];
    std::vector<float> out(static_cast<std::size_t>(decl.elements));
    device_->copy_to_host(out.data(), runnable.buffer(index), out.size() * sizeof(float));
    return out;
  }
  void write(Runnable& runnable, std::int32_t index, const std::vector<float>& values) {
    device_->copy_to_device(runnable.buffer(index), values.data(), values.size() * sizeof(float));
  }

  std::unique_ptr<Device> device_ = make_host_device(2);
  std::unique_ptr<Executor> executor_ = make_host_executor(*device_);
};

TEST_F(HostExecutorTest, RunsKernelsOnTheirOperands) {
  Program p = test::program_of({"compute"}, {test::buffer("a", 6), test::buffer("b", 6),
                                             test::buffer("c", 8), test::buffer("d", 4)});
  p.ops.push_back({.label = "gemm",
                   .kernel = pack(GemmShape{.m = 2, .n = 2, .k = 3}, DType::f32),
                   .operands = {test::whole(p, 0), test::whole(p, 1), {}, {2, 4, 4}}});
  p.ops.push_back({.label = "copy",
                   .kernel = pack(CopyShape{.elements = 4}, DType::f32),
                   .operands = {{2, 4, 4}, test::whole(p, 3)}});
  test::FakeCommSet comms;
  const auto runnable = executor_->prepare(p, comms);
  EXPECT_THAT(read(*runnable, 2), ::testing::Each(0.0f));  // the arena starts as zeros
  write(*runnable, 0, {1, 2, 3, 4, 5, 6});
  write(*runnable, 1, {1, 0, 0, 1, 1, 1});
  runnable->run();
  EXPECT_THAT(read(*runnable, 2), ElementsAre(0, 0, 0, 0, 4, 5, 10, 11));
  EXPECT_THAT(read(*runnable, 3), ElementsAre(4, 5, 10, 11));
}

TEST_F(HostExecutorTest, GroupsOfOneRankMakeCollectivesCopies) {
  Program p = test::program_of({"compute", "dp"}, {test::buffer("a", 4), test::buffer("b", 4)});
  test::add_comm(p, "sync", 1, 0, 1);
  const auto world = make_self_comm();
  const auto comms = make_comm_set(*world, p);
  const auto runnable = executor_->prepare(p, *comms);
  write(*runnable, 0, {1, 2, 3, 4});
  runnable->run();
  EXPECT_THAT(read(*runnable, 1), ElementsAre(1, 2, 3, 4));
}

TEST_F(HostExecutorTest, OrderWithinAStreamIsThatOfTheProgram) {
  Program p = test::program_of({"compute"}, {});
  for (int i = 0; i < 100; ++i) p.buffers.push_back(test::buffer(fmt::format("b{}", i), 1));
  for (int i = 0; i < 100; ++i) test::add_comm(p, fmt::format("{}", i), 0, i, i);
  std::vector<const void*> seen;
  test::FakeCommSet comms([&](const void* send, void*, std::size_t) { seen.push_back(send); });
  const auto runnable = executor_->prepare(p, comms);
  runnable->run();
  std::vector<const void*> expected;
  for (int i = 0; i < 100; ++i) expected.push_back(runnable->buffer(i));
  EXPECT_EQ(seen, expected);
}

TEST_F(HostExecutorTest, AFailureNamesItsOpAndReleasesTheOthers) {
  Program p =
      test::program_of({"compute", "tp", "dp"}, {test::buffer("a", 1), test::buffer("b", 2)});
  p.rank = 5;
  const auto fails = test::add_comm(p, "layer3.qkv", 1, 1, 1);
  const auto waits = test::add_comm(p, "waits", 0, 0, 0, {fails});
  test::add_comm(p, "waits too", 2, 0, 0, {waits});
  bool fail = true;
  std::atomic<int> ran{0};
  test::FakeCommSet comms([&](const void*, void*, std::size_t count) {
    if (count == 2 && fail) throw std::runtime_error("link down");
    ++ran;
  });
  const auto runnable = executor_->prepare(p, comms);
  for (int i = 0; i < 100; ++i) {
    try {
      runnable->run();
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kEnvironment);
      EXPECT_THAT(error.message(),
                  HasSubstr("rank 5: op 0 \"layer3.qkv\" on stream tp: link down"));
    }
  }
  EXPECT_EQ(ran, 0);
  fail = false;  // a later step starts afresh
  runnable->run();
  EXPECT_EQ(ran, 3);
}

TEST_F(HostExecutorTest, AnErrorKeepsItsCode) {
  Program p = test::program_of({"compute"}, {test::buffer("a", 1)});
  test::add_comm(p, "check", 0, 0, 0);
  test::FakeCommSet comms(
      [](const void*, void*, std::size_t) { throw Error(ExitCode::kCheckFailed, "wrong data"); });
  try {
    executor_->prepare(p, comms)->run();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kCheckFailed);
    EXPECT_THAT(error.message(), HasSubstr("wrong data"));
  }
}

TEST_F(HostExecutorTest, TimelineIsMonotonicAndKeepsDependencies) {
  Program p = test::program_of({"compute", "dp"}, {test::buffer("a", 1)});
  const auto first = test::add_comm(p, "first", 0, 0, 0);
  test::add_comm(p, "second", 0, 0, 0);
  const auto third = test::add_comm(p, "third", 1, 0, 0, {first});
  test::add_comm(p, "fourth", 0, 0, 0, {third});
  test::FakeCommSet comms([](const void*, void*, std::size_t) {});
  const auto runnable = executor_->prepare(p, comms);
  for (int run = 0; run < 20; ++run) {
    runnable->run();
    if (run % 2 == 1) runnable->run_empty();  // leaves the last run's spans alone
    const Timeline timeline = runnable->timeline();
    ASSERT_EQ(timeline.spans.size(), p.ops.size());
    std::vector<std::int64_t> stream_end(p.streams.size(), 0);
    for (std::size_t i = 0; i < p.ops.size(); ++i) {
      const Span& span = timeline.spans[i];
      EXPECT_EQ(span.op, static_cast<std::int32_t>(i));
      EXPECT_LE(span.begin_ns, span.end_ns);
      EXPECT_GE(span.wait_ns, 0);
      EXPECT_LE(span.end_ns, timeline.step_ns);
      auto& end = stream_end[static_cast<std::size_t>(p.ops[i].stream)];
      EXPECT_GE(span.begin_ns, end);
      end = span.end_ns;
      for (const std::int32_t dep : p.ops[i].deps) {
        EXPECT_GE(span.begin_ns, timeline.spans[static_cast<std::size_t>(dep)].end_ns);
      }
    }
  }
}

TEST_F(HostExecutorTest, TheEmptyStepRunsNothingAndHasACost) {
  Program p = test::program_of({"compute"}, {test::buffer("a", 1)});
  for (int i = 0; i < 10000; ++i) test::add_comm(p, "op", 0, 0, 0);
  int ran = 0;
  test::FakeCommSet comms([&](const void*, void*, std::size_t) { ++ran; });
  const auto runnable = executor_->prepare(p, comms);
  double best_s = runnable->run_empty().host_s;
  for (int i = 0; i < 10; ++i) best_s = std::min(best_s, runnable->run_empty().host_s);
  EXPECT_EQ(ran, 0);
  EXPECT_LT(runnable->run_empty().graph_s, 0) << "the host has no graphs";
  EXPECT_GT(best_s, 0);
  RecordProperty("empty_step_ns_per_op", static_cast<int>(best_s * 1e9 / 10000));
  std::cerr << "empty walk: " << best_s * 1e9 / 10000 << " ns per op\n";
}

TEST_F(HostExecutorTest, AnEmptyProgramRuns) {
  const Program p = test::program_of({}, {});
  test::FakeCommSet comms;
  const auto runnable = executor_->prepare(p, comms);
  EXPECT_NO_THROW(runnable->run());
  EXPECT_EQ(runnable->timeline().step_ns, 0);
  EXPECT_THROW((void)runnable->buffer(0), Error);
}

}  // namespace
}  // namespace stepmark
