// SPDX-License-Identifier: Apache-2.0
// The vectorised exponential against libm's in double, and inline conversions against core's.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/host/number.h"
#include "kernels/host/sets.h"
#include "kernels/host/vector_math.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/cross_entropy.h"

namespace stepmark {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// |got - want| in units of the last place of want's fp32 neighbourhood.
double ulps(float got, double want) {
  const auto near = static_cast<float>(want);
  const double spacing = static_cast<double>(std::nextafter(near, kInf)) - near;
  return std::abs(got - want) / spacing;
}

TEST(HostExp, StaysWithinOneAndAHalfUlpOfLibm) {
  double worst = 0;
  for (float x = -87.0F; x <= 88.3F; x += 0x1p-13F) {
    worst = std::max(worst, ulps(host::exp(x), std::exp(static_cast<double>(x))));
  }
  EXPECT_LE(worst, 1.5);
  EXPECT_GT(worst, 0.5) << "the sweep no longer finds the worst case";
}

// As the library compiles it (vector code, fused multiply-add), for every instruction set that this
// machine has: sums of one exponential per row.
TEST(HostExp, StaysWithinOneAndAHalfUlpInsideTheKernel) {
  constexpr std::int64_t kRows = 4001;
  std::vector<float> logits(kRows), row_max(kRows, 0.0F), sums(2 * kRows);
  std::vector<std::int32_t> targets(kRows, 0);
  for (std::int64_t r = 0; r < kRows; ++r) logits[r] = -87.0F + 0.0438F * static_cast<float>(r);
  void* operands[] = {logits.data(), row_max.data(), targets.data(), sums.data()};
  for (const HostSet& set : host_sets()) {
    if (!set.runs_here) continue;
    sums.assign(2 * kRows, kNan);
    set.kernels[static_cast<std::size_t>(OpId::ce_sum)](
        pack(CeSumShape{.rows = kRows, .cols = 1}, DType::f32), operands);
    for (std::int64_t r = 0; r < kRows; ++r) {
      ASSERT_LE(ulps(sums[r], std::exp(static_cast<double>(logits[r]))), 1.5)
          << logits[r] << " " << set.name;
    }
  }
}

TEST(HostExp, EndsOfTheRange) {
  EXPECT_EQ(host::exp(0.0F), 1.0F);
  EXPECT_EQ(host::exp(-0.0F), 1.0F);
  EXPECT_EQ(host::exp(89.0F), kInf);
  EXPECT_EQ(host::exp(kInf), kInf);
  EXPECT_EQ(host::exp(-kInf), 0.0F);
  EXPECT_EQ(host::exp(-1e30F), 0.0F);
  EXPECT_EQ(host::exp(-88.0F), 0.0F);
  EXPECT_TRUE(std::isnan(host::exp(kNan)));
  EXPECT_TRUE(std::isnan(host::exp(-kNan)));
}

TEST(HostSigmoid, EndsOfTheRange) {
  EXPECT_EQ(host::sigmoid(0.0F), 0.5F);
  EXPECT_EQ(host::sigmoid(-kInf), 0.0F);
  EXPECT_EQ(host::sigmoid(kInf), 1.0F);
}

TEST(HostGelu, FarFromZeroIsTheIdentityOrZero) {
  std::vector<float> x{-1e4F, -30.0F, 30.0F, 1e4F}, y(4), dy(4, 1.0F), dx(4);
  void* forward[] = {x.data(), y.data()};
  host_kernel(OpId::gelu_fwd)(pack(GeluFwdShape{.elements = 4}, DType::f32), forward);
  EXPECT_EQ(y, (std::vector<float>{0, 0, 30.0F, 1e4F}));
  void* backward[] = {dy.data(), x.data(), dx.data()};
  host_kernel(OpId::gelu_bwd)(pack(GeluBwdShape{.elements = 4}, DType::f32), backward);
  EXPECT_EQ(dx, (std::vector<float>{0, 0, 1.0F, 1.0F}));
}

// Every bf16 value, its upper neighbour's midpoint (a tie) and the floats beside them.
TEST(HostBf16, AgreesWithCore) {
  for (std::uint32_t high = 0; high <= 0xFFFF; ++high) {
    const bf16 narrow{static_cast<std::uint16_t>(high)};
    ASSERT_EQ(std::bit_cast<std::uint32_t>(host::load(narrow)),
              std::bit_cast<std::uint32_t>(to_float(narrow)));
    for (const std::uint32_t low : {0x0000U, 0x0001U, 0x7FFFU, 0x8000U, 0x8001U, 0xFFFFU}) {
      const auto x = std::bit_cast<float>(high << 16 | low);
      bf16 stored{};
      host::store(stored, x);
      if (std::isnan(x)) {
        ASSERT_TRUE(std::isnan(host::load(stored))) << high << " " << low;
      } else {
        ASSERT_EQ(stored.bits, to_bf16(x).bits) << high << " " << low;
      }
    }
  }
}

}  // namespace
}  // namespace stepmark
