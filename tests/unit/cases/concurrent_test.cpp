// SPDX-License-Identifier: Apache-2.0
#include "harness/cases/concurrent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "case_fixture.h"
#include "harness/cases/common.h"
#include "harness/cases/families/kernel.h"
#include "harness/cases/families/overlap.h"
#include "harness/cases/families/step.h"
#include "harness/cases/kernel_check.h"
#include "harness/cases/overlap_programs.h"
#include "kernels/ops/gemm.h"
#include "quiet_executor.h"
#include "wrapped_comm.h"

namespace stepmark {
namespace {

using test::CaseBench;
using test::completed;
using test::has_label;
using testing::HasSubstr;

OpShape small_gemm() { return pack(GemmShape{.m = 64, .n = 64, .k = 64}, DType::f32); }

struct ConcurrentTest : testing::Test {
  CaseBench bench;
  std::unique_ptr<Control> control = make_solo_control();
  std::unique_ptr<Comm> self = make_self_comm();
  std::shared_ptr<test::WrappedComm::Behaviour> behaviour =
      std::make_shared<test::WrappedComm::Behaviour>();
  test::WrappedComm world{nullptr, *self, behaviour};
};

TEST(InterleaveTest, LanesTakeTurnsInProportion) {
  ProgramBuilder builder("p", 0, 1);
  std::string order;
  const auto op = [&](char name, double at) {
    return LaneOp{.add = [&order, name](ProgramBuilder&) { order += name; }, .at = at};
  };
  const auto lane = [&](char name, std::int64_t calls) {
    return Lane{.calls = calls, .ops = {op(name, 0.5)}};
  };
  interleave(builder, {lane('a', 6), lane('b', 2)});
  EXPECT_EQ(order, "aabaaaba");
  order.clear();
  interleave(builder, {lane('a', 1)});
  EXPECT_EQ(order, "a");
  // Sequences in the order of a program, and one of them twice meanwhile.
  const std::vector<LaneOp> first{op('a', 0.1), op('b', 0.4), op('c', 0.8)};
  const std::vector<LaneOp> other{op('x', 0.2), op('y', 0.7)};
  order.clear();
  interleave(builder, {{.calls = 1, .ops = first}, {.calls = 1, .ops = other}, {.calls = 3}});
  EXPECT_EQ(order, "axbyc");
  order.clear();
  interleave(builder, {{.calls = 1, .ops = first}, {.calls = 2, .ops = other}});
  EXPECT_EQ(order, "axybxcy");
}

TEST_F(ConcurrentTest, CountsAreNearbyPowersOfTwo) {
  for (const auto& [wanted, count] : {std::pair{0.0, 1},
                                      {1.3, 1},
                                      {1.5, 2},
                                      {5.0, 4},
                                      {6.0, 8},
                                      {90.0, 64},
                                      {91.0, 128},
                                      {1e9, 512}}) {
    EXPECT_EQ(decided_count(*control, wanted, 512), count) << wanted;
  }
}

TEST(ExtentTest, FromFirstBeginToLastEndOfAStream) {
  Program program;
  program.streams = {"x", "y"};
  program.ops.resize(3);
  program.ops[1].stream = 1;
  const Timeline timeline{.step_ns = 900,
                          .spans = {{.op = 0, .begin_ns = 100, .end_ns = 200},
                                    {.op = 1, .begin_ns = 50, .end_ns = 700},
                                    {.op = 2, .begin_ns = 300, .end_ns = 400}}};
  EXPECT_DOUBLE_EQ(extent_s(program, timeline, "x"), 300e-9);
  EXPECT_DOUBLE_EQ(extent_s(program, timeline, "y"), 650e-9);
  EXPECT_DOUBLE_EQ(extent_s(program, timeline), 650e-9);
  EXPECT_EQ(extent_s(program, timeline, "z"), 0.0);
}

TEST_F(ConcurrentTest, SidesOfAnOverlapDoNotWaitForEachOther) {
  const Group group{.axis = "world", .ranks = {0}, .index = 0};
  for (const bool collective : {false, true}) {
    OverlapSpec spec{.gemm = small_gemm(), .bytes = 4096, .ctas = 2};
    if (collective) spec.kind = CollectiveKind::all_reduce;
    Program one;
    one.world_size = 1;
    one.groups = {group};
    const auto comms = make_comm_set(*self, one);
    OverlapRun run(*bench.executor, *comms, spec, {.gemms = 3, .comms = 2, .occupy_ns = 1000},
                   group, 1);
    EXPECT_EQ(run.runnable().program().ops.size(), 5U);
    EXPECT_THAT(run.runnable().program().streams, testing::ElementsAre("compute", "comm"));
    for (const Op& op : run.runnable().program().ops) EXPECT_TRUE(op.deps.empty());
    EXPECT_EQ(run.all_done(), collective);  // the stand-in has not run yet
    EXPECT_EQ(run.verify_comm() && run.verify_comm()->ok(), false);
    run.runnable().run();
    EXPECT_TRUE(run.all_done());
    EXPECT_EQ(run.verify_comm() && run.verify_comm()->ok(), collective);
    run.refill();
    EXPECT_EQ(run.all_done(), collective);
  }
}

OverlapEntry overlap_entry() {
  return {.m = 64,
          .n = 64,
          .k = 64,
          .kinds = {CollectiveKind::all_reduce},
          .bytes = {4096},
          .max_ctas = {0, 4},
          .occupy_ctas = {2},
          .priorities = {"normal", "high"}};
}

std::vector<std::unique_ptr<Case>> overlap_cases(int world_size) {
  Expansion expansion;
  overlap_entry().expand({.size = world_size, .workloads = {}}, expansion);
  return std::move(expansion.cases);
}

TEST_F(ConcurrentTest, OneRankMeasuresTheStandIn) {
  const auto cases = overlap_cases(1);
  ASSERT_EQ(cases.size(), 2U);
  CaseContext context = bench.context(*control, world);
  const Record record = completed(cases[0]->run(context), *cases[0]);
  ASSERT_EQ(record.outcome, Outcome::ok) << record.reason;
  EXPECT_EQ(record.text("beside"), "occupy");
  EXPECT_EQ(record.number("occupy_ctas"), 2.0);
  for (const char* series :
       {"time_s", "compute_alone_s", "comm_alone_s", "compute_together_s", "comm_together_s"}) {
    ASSERT_NE(record.summary(series), nullptr) << series;
  }
  EXPECT_EQ(record.summary("compute_together_s")->count +
                record.summary("compute_together_s")->steady_from,
            record.summary("time_s")->count + record.summary("time_s")->steady_from);
  // It lasts as long as it was told, alone and together.
  EXPECT_GE(record.summary("comm_alone_s")->min, *record.number("occupy_s"));
  EXPECT_TRUE(record.metric("compute_slowdown")->value);
  EXPECT_EQ(record.checks.size(), 5U);
  const Record high = cases[1]->run(context);
  EXPECT_EQ(high.outcome, Outcome::skipped);
  EXPECT_THAT(high.reason, HasSubstr("not applied: the host has none"));
}

// Made for two ranks and run by one: whether a limit is kept is asked before anything is measured.
TEST_F(ConcurrentTest, LimitsThatTheLibraryLacksAreNotMeasuredTwice) {
  const auto cases = overlap_cases(2);
  ASSERT_EQ(cases.size(), 4U);
  EXPECT_THAT(cases[2]->id(), HasSubstr("ctas4/normal"));
  CaseContext context = bench.context(*control, world);
  const Record without = cases[2]->run(context);
  EXPECT_EQ(without.outcome, Outcome::skipped);
  EXPECT_THAT(without.reason, HasSubstr("CTA limit 4 requested, not applied"));
  EXPECT_TRUE(has_label(without, "CTA limit requested, not applied"));
  EXPECT_TRUE(without.series.empty());
  behaviour->has_cta_limit = true;
  const Record with = completed(cases[2]->run(context), *cases[2]);
  EXPECT_EQ(with.outcome, Outcome::ok) << with.reason;
  EXPECT_EQ(with.text("library_max_ctas"), "4");
  EXPECT_EQ(behaviour->splits.back().max_ctas, 4);
}

TEST_F(ConcurrentTest, SharedGpuIsNoPerformance) {
  behaviour->facts = {{"version", "2.30"}, {"topology", "single-gpu-timesliced"}};
  const auto cases = overlap_cases(1);
  CaseContext context = bench.context(*control, world);
  Record record;
  add_comm_facts(record, world.facts());
  EXPECT_FALSE(record.perf_valid);
  EXPECT_EQ(record.text("library_version"), "2.30");
  EXPECT_TRUE(has_label(record, "single-gpu-timesliced"));
  const Record overlap = completed(cases[0]->run(context), *cases[0]);
  EXPECT_EQ(overlap.outcome, Outcome::ok) << overlap.reason;
  EXPECT_FALSE(overlap.metric("compute_slowdown")->value);
  const auto kernel = make_kernel_case(small_gemm());
  EXPECT_FALSE(kernel->run(context).perf_valid);
}

TEST_F(ConcurrentTest, AnOpIsCheckedOncePerTypeInARun) {
  OpChecks checks;
  CaseContext context = bench.context(*control, world);
  context.op_checks = &checks;
  const auto kernel = make_kernel_case(small_gemm());
  const auto detail = [&] { return kernel->run(context).checks.front().detail; };
  EXPECT_EQ(detail().find("earlier case"), std::string::npos);
  EXPECT_NE(detail().find("earlier case"), std::string::npos);
  checks.begin()->second.passed = false;  // what failed has failed for all cases of the op
  EXPECT_EQ(kernel->run(context).outcome, Outcome::failed);
  context.op_checks = nullptr;
  EXPECT_EQ(detail().find("earlier case"), std::string::npos);
}

TEST_F(ConcurrentTest, KernelsSayWhetherCachesWereEmpty) {
  const auto kernel = make_kernel_case(small_gemm());
  bench.peaks = {.gemm_flops_per_s = 1e30, .copy_bytes_per_s = 1e9};  // memory bound
  CaseContext warm = bench.context(*control, world);
  Record record = completed(kernel->run(warm), *kernel);
  EXPECT_EQ(record.text("mode"), "warm caches");
  EXPECT_FALSE(record.metric("roofline")->value);  // its operands are in the caches
  test::QuietExecutor quiet(*bench.executor);
  CaseContext cold = bench.context(*control, world, quiet);
  record = completed(kernel->run(cold), *kernel);
  EXPECT_EQ(record.text("mode"), "cold caches");
  EXPECT_TRUE(record.metric("roofline")->value);
  EXPECT_NEAR(*record.metric("bound")->value, bytes_of(small_gemm()) / 1e9, 1e-12);
}

TEST_F(ConcurrentTest, BoundIsOfTheOpsOwnArithmetic) {
  const OpShape bf16 = pack(GemmShape{.m = 64, .n = 64, .k = 64}, DType::bf16);
  const auto kernel = make_kernel_case(bf16);
  bench.peaks = {.gemm_flops_per_s = 1e9, .copy_bytes_per_s = 1e30};
  CaseContext without = bench.context(*control, world);
  EXPECT_FALSE(completed(kernel->run(without), *kernel).metric("roofline")->value);
  bench.peaks.gemm_bf16_flops_per_s = 2e9;
  CaseContext with = bench.context(*control, world);
  const Record record = completed(kernel->run(with), *kernel);
  EXPECT_NEAR(*record.metric("bound")->value, flops_of(bf16) / 2e9, 1e-12);
}

TEST_F(ConcurrentTest, TimedDataIsTheCheckedDataRepeated) {
  std::vector<float> values(200'000);
  fill_with_noise(*bench.device, values.data(), DType::f32, 200'000, 7, 0);
  for (std::size_t i = 65521; i < values.size(); ++i) ASSERT_EQ(values[i], values[i - 65521]);
  EXPECT_NE(values[0], values[1]);
  double sum = 0;
  for (const float v : values) sum += static_cast<double>(v) * static_cast<double>(v);
  EXPECT_NEAR(sum / 200'000, 1.0, 0.02);
  std::vector<float> large(5'000'000);  // more than one copy
  fill_with_noise(*bench.device, large.data(), DType::f32, 5'000'000, 7, 0);
  EXPECT_EQ(std::memcmp(values.data(), large.data(), values.size() * sizeof(float)), 0);
  for (std::size_t i = 65521; i < large.size(); ++i) ASSERT_EQ(large[i], large[i - 65521]);
}

TEST_F(ConcurrentTest, StepWithoutSpansIsTracedApart) {
  Workload workload;
  workload.name = "small";
  workload.model = {.name = "small",
                    .layers = 1,
                    .hidden = 32,
                    .heads = 4,
                    .kv_heads = 4,
                    .ffn = 64,
                    .vocab = 101,
                    .max_seq = 8};
  workload.model.head_dim = 8;
  const auto step = make_step_case(workload, resolve({}, workload.model, 1));
  test::QuietExecutor quiet(*bench.executor);
  CaseContext context = bench.context(*control, world, quiet);
  const Record traced = completed(step->run(context), *step);
  ASSERT_EQ(traced.outcome, Outcome::ok) << traced.reason;
  EXPECT_TRUE(has_label(traced, "timeline of a traced run"));
  EXPECT_FALSE(traced.timeline.empty());
  EXPECT_FALSE(traced.split.empty());
  ASSERT_TRUE(traced.number("gap_s"));
  EXPECT_LT(*traced.number("gap_s"), traced.summary("time_s")->max);
  EXPECT_TRUE(traced.number("executor_overhead_s"));
  CaseContext plain = bench.context(*control, world);
  const Record sampled = completed(step->run(plain), *step);
  EXPECT_FALSE(has_label(sampled, "timeline of a traced run"));
  EXPECT_FALSE(sampled.timeline.empty());
  EXPECT_TRUE(sampled.metric("gap")->value);
}

TEST_F(ConcurrentTest, TelemetryOfTheTimedWindowIsRecorded) {
  TelemetrySummary seen = test::watts("GPU-0", 600, 30);
  seen.throttle_reasons = {"idle", "sw power cap"};
  test::FixedTelemetry telemetry(seen);
  const auto kernel = make_kernel_case(small_gemm());
  CaseContext context = bench.context(*control, world);
  context.telemetry = &telemetry;
  const Record record = completed(kernel->run(context), *kernel);
  EXPECT_EQ(telemetry.begun, 1);
  EXPECT_EQ(record.number("gpu_power_w"), 600.0);
  ASSERT_TRUE(record.number("iterations"));
  EXPECT_DOUBLE_EQ(record.number("joules_per_sample").value_or(0),
                   30 / *record.number("iterations"));
  EXPECT_EQ(record.text("throttle_reasons"), "idle, sw power cap");
  EXPECT_TRUE(has_label(record, "throttled: sw power cap"));
  seen.seconds = 0.5;
  test::FixedTelemetry brief(seen);
  context.telemetry = &brief;
  const Record shortly = kernel->run(context);
  EXPECT_FALSE(shortly.number("joules_per_sample"));
  EXPECT_TRUE(has_label(shortly, "energy not given"));
  EXPECT_EQ(shortly.number("gpu_power_w"), 600.0);
}

}  // namespace
}  // namespace stepmark
