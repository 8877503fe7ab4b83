// SPDX-License-Identifier: Apache-2.0
// Metrics of a record, and what becomes of them where the facts make no sense: no figure costs a
// sample.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "results/families/derive.h"
#include "results/families/figures.h"
#include "results/record/record.h"
#include "synthetic.h"

namespace stepmark {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const std::vector<double> kOneMillisecond(20, 1e-3);

TEST(Derive, CollectiveBandwidths) {
  const auto r = synthetic::collective("all_reduce", 1000000, "in-place", kOneMillisecond);
  EXPECT_NEAR(*r.metric("algbw")->value, 1.0, 1e-12);
  EXPECT_NEAR(*r.metric("busbw")->value, 1.5, 1e-12);  // 2 (n - 1) / n for n = 4
  EXPECT_NEAR(*r.metric("latency")->value, 1000, 1e-9);
  EXPECT_FALSE(r.metric("latency")->higher_is_better);
}

TEST(Derive, OneRankHasNoBusBandwidth) {
  auto r = synthetic::collective("all_gather", 1000000, "in-place", kOneMillisecond);
  r.numbers = {{"size_bytes", 1e6}, {"ranks", 1}};
  derive(r);
  EXPECT_FALSE(r.metric("busbw")->value.has_value());
  EXPECT_THAT(r.metric("busbw")->note, HasSubstr("one rank"));
}

TEST(Derive, KernelAgainstItsRoofline) {
  auto r = synthetic::kernel("gemm", 1e8, 1e6, kOneMillisecond);
  EXPECT_NEAR(*r.metric("gflops")->value, 100, 1e-9);
  EXPECT_NEAR(*r.metric("gbps")->value, 1, 1e-12);
  EXPECT_NEAR(*r.metric("roofline")->value, 100.0 / 235.0, 1e-9);
  EXPECT_EQ(r.metric("roofline")->note, "compute bound");
  r.numbers = {{"flops", 0}, {"bytes", 1e7}, {"copy_gbps", 20}};
  derive(r);
  EXPECT_FALSE(r.metric("gflops")->value.has_value());
  EXPECT_NEAR(*r.metric("roofline")->value, 0.5, 1e-9);
  EXPECT_THAT(r.metric("roofline")->note, HasSubstr("memory bound"));
  r.numbers = {{"flops", 1}, {"bytes", 1}};
  derive(r);
  EXPECT_FALSE(r.metric("roofline")->value.has_value());
}

void set(Record& record, std::string_view name, double value) {
  for (auto& [known, number] : record.numbers) {
    if (known == name) number = value;
  }
}

TEST(Derive, StepRatesAndUtilisation) {
  auto r = synthetic::step("tiny", std::vector<double>(20, 0.01), false);
  EXPECT_NEAR(*r.metric("tokens_per_s")->value, 204800, 1e-6);
  EXPECT_NEAR(*r.metric("tokens_per_s_per_gpu")->value, 51200, 1e-6);
  EXPECT_NEAR(*r.metric("tflops_per_gpu")->value, 0.04, 1e-9);
  EXPECT_NEAR(*r.metric("tflops_per_gpu_causal")->value, 0.03, 1e-9);
  EXPECT_NEAR(*r.metric("mfu")->value, 0.04 / 0.06, 1e-9);
  EXPECT_NEAR(*r.metric("mfu_causal")->value, 0.03 / 0.06, 1e-9);
  EXPECT_NEAR(*r.metric("hfu")->value, 0.05 / 0.06, 1e-9);
  EXPECT_TRUE(r.labels.empty());
  r.numbers = {{"tokens_per_step", 2048}, {"gpus", 4}, {"model_flops_per_step", 1.6e9}};
  derive(r);
  EXPECT_FALSE(r.metric("mfu")->value.has_value());
  EXPECT_THAT(r.metric("mfu")->note, HasSubstr("peak"));
  EXPECT_TRUE(r.labels.empty());  // a peak that nobody knows is no fault
}

TEST(Derive, UtilisationSaysWhosePeakAtWhichPower) {
  auto r = synthetic::step("tiny", std::vector<double>(20, 0.01), false);
  EXPECT_EQ(r.metric("mfu")->note, "");
  r.texts.emplace_back("peak_source", "gpu h100-sxm5-80gb");
  set(r, "peak_flops_per_s", 989.4e12);
  r.numbers.emplace_back("peak_specified_power_w", 700);
  r.numbers.emplace_back("peak_specified_sm_clock_mhz", 1830);
  r.numbers.emplace_back("gpu_power_limit_w", 650);
  r.numbers.emplace_back("gpu_sm_clock_mhz", 1410);
  derive(r);
  EXPECT_EQ(r.metric("mfu")->note,
            "of 989.4 TFLOP/s (gpu h100-sxm5-80gb), specified at 700 W, SM clock 1830 MHz; taken "
            "at a power cap of 650 W, SM clock 1410 MHz");
  EXPECT_EQ(r.metric("hfu")->note, r.metric("mfu")->note);
  set(r, "peak_flops_per_s", 1e9);
  derive(r);
  EXPECT_THAT(r.metric("mfu")->note, HasSubstr("the peak (gpu h100-sxm5-80gb) or the FLOP count"));
  set(r, "peak_flops_per_s", 0);
  r.texts = {{"peak_unknown", "no peaks of 'X' are known"}};
  derive(r);
  EXPECT_EQ(r.metric("mfu")->note,
            "dense peak of the device is unknown: no peaks of 'X' are known");
}

// Of the peak 1e9: 160 GFLOP/s on 4 devices.
TEST(Derive, UtilisationOverOneIsRemarkedAndTheTimeIsKept) {
  auto r = synthetic::step("tiny", std::vector<double>(20, 0.01), false);
  set(r, "peak_flops_per_s", 1e9);
  derive(r);
  for (const char* name : {"mfu", "mfu_causal", "hfu"}) {
    EXPECT_FALSE(r.metric(name)->value || r.metric(name)->lower || r.metric(name)->upper);
    EXPECT_THAT(r.metric(name)->note, HasSubstr("the cluster file's peak or the FLOP count"));
  }
  EXPECT_THAT(r.metric("mfu")->note, HasSubstr("over 1 (40.000)"));
  EXPECT_THAT(r.metric("mfu")->note, Not(HasSubstr("see mfu_causal")));  // that one is over 1 too
  EXPECT_THAT(r.labels, Contains(HasSubstr("mfu is N/A: over 1 (40.000)")));
  EXPECT_EQ(r.outcome, Outcome::ok);
  EXPECT_NEAR(*r.metric("step_time")->value, 0.01, 1e-12);
  EXPECT_NEAR(*r.metric("tflops_per_gpu")->value, 0.04, 1e-9);
  EXPECT_EQ(r.series.at(0).values.size(), 20U);
}

// Llama-3-8B at 512 Ki tokens: kernels do 0.61 of the usual count, so that 0.66 of the peak, which
// is possible, would be 1.08.
TEST(Derive, LongSequencesPointToTheCausalCount) {
  auto r = synthetic::step("long", std::vector<double>(20, 0.01), false);
  set(r, "peak_flops_per_s", 40e9 / 1.08);
  set(r, "model_flops_causal_per_step", 0.53 * 1.6e9);
  set(r, "hardware_flops_per_step", 0.61 * 1.6e9);
  derive(r);
  EXPECT_FALSE(r.metric("mfu")->value);
  EXPECT_THAT(r.metric("mfu")->note, HasSubstr("over 1 (1.080)"));
  EXPECT_THAT(r.metric("mfu")->note, HasSubstr("see mfu_causal"));
  EXPECT_NEAR(*r.metric("mfu_causal")->value, 0.53 * 1.08, 1e-9);
  EXPECT_NEAR(*r.metric("hfu")->value, 0.61 * 1.08, 1e-9);
  EXPECT_EQ(r.labels.size(), 1U);
}

TEST(Derive, RemarksFollowTheFacts) {
  auto r = synthetic::step("tiny", std::vector<double>(20, 0.01), false);
  r.labels = {"slice: 2 of 32 layers"};
  set(r, "peak_flops_per_s", 1e9);
  derive(r);
  derive(r);
  EXPECT_EQ(r.labels.size(), 4U);  // once each
  set(r, "peak_flops_per_s", 60e9);
  derive(r);
  EXPECT_THAT(r.labels, ElementsAre("slice: 2 of 32 layers"));
}

TEST(Derive, WhatWasNotMeasuredHasNoFigures) {
  Record r{.case_id = "c", .family = "kernel", .outcome = Outcome::failed};
  r.series = {{.name = "time_s", .unit = "s", .values = kOneMillisecond}};
  derive(r);
  EXPECT_TRUE(r.metrics.empty() && r.summaries.empty() && r.labels.empty());
}

TEST(Derive, WhatGivesNoFigureKeepsItsSamplesAndSaysWhy) {
  Record r{.case_id = "c", .family = "kernel"};
  const auto label = [&] {
    derive(r);
    return r.labels.empty() ? std::string() : r.labels.front();
  };
  EXPECT_THAT(label(), HasSubstr("no figures: no samples in series 'time_s'"));
  r.series = {{.name = "time_s", .unit = "s", .values = std::vector<double>(20, 0.0)}};
  EXPECT_THAT(label(), HasSubstr("a median time of 0 s is not a measurement"));
  r.series = {{.name = "time_s", .unit = "s", .values = kOneMillisecond}};
  EXPECT_THAT(label(), HasSubstr("gflops is N/A: number 'flops' is missing"));
  r.family = "other";
  EXPECT_THAT(label(), HasSubstr("no figures: family 'other'"));
  EXPECT_EQ(r.series.at(0).values, kOneMillisecond);
  EXPECT_NEAR(r.summary("time_s")->median, 1e-3, 1e-12);
}

TEST(Derive, WhateverItThrowsTheRecordIsKept) {
  auto r = synthetic::kernel("gemm", 1e8, 1e6, kOneMillisecond);
  derive_guarded(r, [](Record& record) {
    record.metrics.front().value = 1;
    throw std::out_of_range("nobody thought of this");
  });
  EXPECT_TRUE(r.metrics.empty());
  EXPECT_THAT(r.labels, ElementsAre("no figures: nobody thought of this"));
  EXPECT_EQ(r.series.at(0).values, kOneMillisecond);
  EXPECT_EQ(r.summaries.size(), 1U);
}

TEST(Derive, IntervalOfARateIsTheReversedIntervalOfTheTime) {
  synthetic::Noise noise(3);
  const auto r = synthetic::collective("broadcast", 1 << 20, "in-place",
                                       synthetic::times({.count = 100}, noise));
  const auto& time = r.summaries.at(0);
  const auto* algbw = r.metric("algbw");
  EXPECT_DOUBLE_EQ(*algbw->lower, (1 << 20) / 1e9 / time.upper);
  EXPECT_DOUBLE_EQ(*algbw->upper, (1 << 20) / 1e9 / time.lower);
}

}  // namespace
}  // namespace stepmark
