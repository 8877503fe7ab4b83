// SPDX-License-Identifier: Apache-2.0
// fp8, fused and probing ops: what the general comparison with references on random data does not
// reach: zeros, saturation, histories that say nothing, memory shared between operands, time.
#include "kernels/ops/fp8.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/ops/memory.h"
#include "kernels/ops/norm.h"

namespace stepmark {
namespace {

using ::testing::ElementsAre;

template <class S, class... T>
void run(const S& s, T*... operands) {
  const OpShape shape = pack(s, DType::f32);
  const std::array<void*, sizeof...(T)> pointers{operands...};
  host_kernel(S::id)(shape, pointers.data());
}

TEST(Fp8Cast, SaturatesAndRoundsToEven) {
  std::vector<float> x{1000.0F, -1000.0F, 17.0F, 19.0F, 0.0F};
  float scale = 1.0F, amax = 3.0F;
  std::vector<f8e4m3> q(5);
  run(Fp8CastShape{.rows = 1, .cols = 5}, x.data(), &scale, q.data(), static_cast<void*>(nullptr),
      &amax);
  std::vector<float> got;
  for (const f8e4m3 v : q) got.push_back(to_float(v));
  EXPECT_THAT(got, ElementsAre(448.0F, -448.0F, 16.0F, 20.0F, 0.0F));  // steps of 2 above 16
  EXPECT_EQ(amax, 1000.0F);
}

TEST(Fp8Cast, KeepsALargerAmax) {
  float x = 2.0F, scale = 1.0F, amax = 3.0F;
  f8e5m2 q{};
  run(Fp8CastShape{.rows = 1, .cols = 1, .e5m2 = 1}, &x, &scale, &q, static_cast<void*>(nullptr),
      &amax);
  EXPECT_EQ(amax, 3.0F);
}

TEST(Fp8Scale, IsOneWhenHistorySaysNothing) {
  for (const float amax : {0.0F, std::numeric_limits<float>::infinity(), 1e-40F}) {
    std::vector<float> history{amax, 0.0F};
    float scale = 0, scale_inv = 0;
    run(Fp8ScaleShape{.history = 2}, history.data(), &scale, &scale_inv);
    EXPECT_EQ(scale, 1.0F) << amax;
    EXPECT_EQ(scale_inv, 1.0F) << amax;
    EXPECT_THAT(history, ElementsAre(0.0F, amax));
  }
}

TEST(Fp8Scale, FollowsTheLargestUntilItLeavesTheHistory) {
  std::vector<float> history{7.0F, 0.0F, 0.0F};
  std::vector<float> scales;
  for (int step = 0; step < 4; ++step) {
    float scale = 0, scale_inv = 0;
    run(Fp8ScaleShape{.history = 3, .margin = 1}, history.data(), &scale, &scale_inv);
    scales.push_back(scale);
    history[0] = 3.5F;  // what the next cast finds
  }
  EXPECT_THAT(scales, ElementsAre(32.0F, 32.0F, 32.0F, 64.0F));
}

TEST(Fp8BlockCast, ScalesZeroBlocksByOne) {
  std::vector<float> x(256, 0.0F);
  x[200] = -896.0F;
  std::vector<f8e4m3> q(256);
  std::vector<float> scale_inv(2);
  run(Fp8BlockCastShape{.rows = 1, .cols = 256}, x.data(), q.data(), scale_inv.data());
  EXPECT_THAT(scale_inv, ElementsAre(1.0F, 2.0F));
  EXPECT_EQ(to_float(q[200]), -448.0F);
  EXPECT_EQ(to_float(q[0]), 0.0F);
}

TEST(Fp8Gemm, MayHaveNoK) {
  std::vector<float> c(16, 5.0F);
  float scale = 1.0F;
  f8e4m3 none{};
  run(Fp8GemmShape{.m = 1, .n = 16}, &none, &none, &scale, &scale, c.data());
  EXPECT_THAT(c, ::testing::Each(0.0F));
}

TEST(ResidualNorm, MayWriteOverA) {
  std::vector<float> a{3.0F, -3.0F}, b{1.0F, -1.0F}, gamma{2.0F, 2.0F}, y(2);
  float rstd = 0;
  run(ResidualRmsNormFwdShape{.rows = 1, .cols = 2, .eps = 0}, a.data(), b.data(),
      static_cast<void*>(nullptr), gamma.data(), a.data(), y.data(), &rstd);
  EXPECT_THAT(a, ElementsAre(4.0F, -4.0F));
  EXPECT_THAT(y, ElementsAre(2.0F, -2.0F));
  EXPECT_EQ(rstd, 0.25F);
}

TEST(Occupy, TakesTheTimeAskedFor) {
  float done[2] = {};
  const auto begin = std::chrono::steady_clock::now();
  run(OccupyShape{.ctas = 2, .threads = 32, .nanoseconds = 3000000}, &done[0]);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(3));
  EXPECT_THAT(done, ElementsAre(1.0F, 1.0F));
}

TEST(Fma, TellsIterationsApart) {
  float x = 3.0F, few = 0, many = 0;
  run(FmaShape{.elements = 1, .iterations = 1024}, &x, &few);
  run(FmaShape{.elements = 1, .iterations = 1025}, &x, &many);
  EXPECT_NEAR(few, 1.0 + 2.0 * std::pow(1.0 - 0x1p-10, 1024), 1e-4);
  EXPECT_GT(few - many, 5e-4F);
}

}  // namespace
}  // namespace stepmark
