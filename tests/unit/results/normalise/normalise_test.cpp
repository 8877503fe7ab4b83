// SPDX-License-Identifier: Apache-2.0
// Figures by hand from round numbers, N/A with the input that is missing, and intervals that turn
// round where a time becomes a rate.
#include <gtest/gtest.h>

#include <limits>

#include "results/normalise/rates.h"
#include "results/normalise/shares.h"

namespace stepmark::normalise {
namespace {

// 0.5 s, known to [0.4, 0.8].
const Measured kStep{0.5, 0.4, 0.8};
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

TEST(Normalise, TokensPerSecondTurnTheIntervalRound) {
  const Figure all = tokens_per_s(kStep, 8192.0);
  EXPECT_DOUBLE_EQ(*all.value, 16384);
  EXPECT_DOUBLE_EQ(*all.lower, 10240);  // 8192 / 0.8
  EXPECT_DOUBLE_EQ(*all.upper, 20480);  // 8192 / 0.4
  EXPECT_DOUBLE_EQ(*tokens_per_s_per_gpu(kStep, 8192.0, 8.0).value, 2048);
  EXPECT_EQ(all.definition->unit, "tokens/s");
  EXPECT_FALSE(all.definition->formula.empty());
  EXPECT_FALSE(all.definition->source.empty());
}

TEST(Normalise, UtilisationsNameWhatTheyCount) {
  // 4 GPUs of 1e12 FLOP/s for 0.5 s can do 2e12.
  const auto use = [](Flops count, double flops) {
    return utilization(count, kStep, flops, 1e12, 4.0);
  };
  EXPECT_DOUBLE_EQ(*use(Flops::model, 1e12).value, 0.5);
  EXPECT_DOUBLE_EQ(*use(Flops::model_causal, 0.8e12).value, 0.4);
  EXPECT_DOUBLE_EQ(*use(Flops::hardware, 1.2e12).value, 0.6);
  EXPECT_DOUBLE_EQ(*use(Flops::model, 1e12).lower, 0.3125);  // at 0.8 s
  EXPECT_EQ(use(Flops::model, 1e12).definition->name, "mfu");
  EXPECT_EQ(use(Flops::model_causal, 1e12).definition->name, "mfu_causal");
  EXPECT_EQ(use(Flops::hardware, 1e12).definition->name, "hfu");
  const Figure wrong = use(Flops::model, 2.1e12);
  EXPECT_FALSE(wrong.value);
  EXPECT_NE(wrong.why.find("over 1"), std::string::npos);
  EXPECT_DOUBLE_EQ(*achieved_peak_use(kStep, 1.2e12, 0.8e12, 4.0).value, 0.75);
}

TEST(Normalise, WhatIsMissingIsNamed) {
  EXPECT_EQ(tokens_per_s(kStep, std::nullopt).why, "tokens_per_step is not known");
  EXPECT_EQ(tokens_per_s_per_gpu(kStep, 8.0, std::nullopt).why, "gpus is not known");
  EXPECT_EQ(utilization(Flops::model, kStep, 1.0, std::nullopt, 1.0).why,
            "dense peak of the device is not known");
  EXPECT_EQ(tokens_per_s({kNaN, kNaN, kNaN}, 8.0).why, "step time is not known");
  EXPECT_EQ(joules_per_token(std::nullopt, 8.0).why, "joules_per_sample is not known");
  EXPECT_FALSE(tokens_per_s({0.0}, 8.0).value);
  EXPECT_FALSE(tokens_per_s({-1.0}, 8.0).value);
}

TEST(Normalise, BusBandwidthAndItsShareOfTheLink) {
  // 8 ranks: 2 x 7/8 of 1 GB in 10 ms.
  const Figure busbw = bus_bandwidth({0.01, 0.008, 0.0125}, CollectiveKind::all_reduce, 8, 1e9);
  EXPECT_DOUBLE_EQ(*busbw.value, 175);
  EXPECT_DOUBLE_EQ(*busbw.lower, 140);
  EXPECT_DOUBLE_EQ(*link_share(busbw.measured(), 350.0).value, 0.5);
  EXPECT_DOUBLE_EQ(*link_share(busbw.measured(), 350.0).lower, 0.4);
  // In-network reduction puts less on the link than the convention counts: no error.
  EXPECT_DOUBLE_EQ(*link_share(busbw.measured(), 100.0).value, 1.75);
  EXPECT_TRUE(bus_bandwidth({0.01}, CollectiveKind::all_reduce, 1, 1e9).by_nature);
}

TEST(Normalise, ScalingSaysItsBase) {
  const Scaling weak = scaling_efficiency({8, {800.0, 720.0, 880.0}}, {64, {5760.0}}, true);
  EXPECT_DOUBLE_EQ(*weak.efficiency.value, 0.9);  // 90 of 100 tokens/s/GPU
  EXPECT_DOUBLE_EQ(*weak.efficiency.lower, 90.0 / 110);
  EXPECT_DOUBLE_EQ(*weak.efficiency.upper, 1.0);
  EXPECT_EQ(weak.base_gpus, 8);
  EXPECT_EQ(weak.efficiency.definition->name, "weak_scaling_efficiency");
  EXPECT_FALSE(scaling_efficiency({64, {5760.0}}, {8, {800.0}}, false).efficiency.value);
}

TEST(Normalise, SharesOfTimeAndEnergy) {
  EXPECT_DOUBLE_EQ(*exposed_communication(0.125, 0.5).value, 0.25);
  EXPECT_DOUBLE_EQ(*exposed_communication(0.0, 0.5).value, 0);
  EXPECT_FALSE(exposed_communication(0.6, 0.5).value);
  EXPECT_FALSE(exposed_communication(std::nullopt, 0.5).value);
  EXPECT_DOUBLE_EQ(*jitter(0.5, 0.6, 100).value, 1.2);
  EXPECT_EQ(jitter(0.5, 0.6, 99).why, "99 samples: a 99th percentile needs 100");
  EXPECT_DOUBLE_EQ(*joules_per_token(4096.0, 8192.0).value, 0.5);
  EXPECT_DOUBLE_EQ(*goodput(90.0, 100.0).value, 0.9);
  EXPECT_DOUBLE_EQ(*goodput(0.0, 100.0).value, 0);
  EXPECT_FALSE(goodput(110.0, 100.0).value);
}

}  // namespace
}  // namespace stepmark::normalise
