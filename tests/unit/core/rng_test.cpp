// SPDX-License-Identifier: Apache-2.0
#include "core/rng.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

namespace stepmark {
namespace {

using testing::ElementsAre;

// Known answers published with the Random123 library (kat_vectors, philox4x32 10 rounds).
TEST(Philox, KnownAnswers) {
  constexpr std::uint64_t kOnes = ~std::uint64_t{0};
  EXPECT_THAT(Philox(0, 0).block(0), ElementsAre(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
  EXPECT_THAT(Philox(kOnes, kOnes).block(kOnes),
              ElementsAre(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd));
  EXPECT_THAT(Philox(0x299f31d0a4093822, 0x0370734413198a2e).block(0x85a308d3243f6a88),
              ElementsAre(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1));
}

TEST(Philox, WordsAreThoseOfTheirBlock) {
  const Philox random(5, 6);
  const auto words = random.block(3);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(random.u32(12 + i), words[i]);
  EXPECT_EQ(random.u64(7), std::uint64_t{words[3]} << 32 | words[2]);
}

TEST(Philox, SeedsAndStreamsDiffer) {
  std::set<std::uint64_t> seen;
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    for (std::uint64_t stream = 0; stream < 30; ++stream) seen.insert(Philox(seed, stream).u64(0));
  }
  EXPECT_EQ(seen.size(), 900U);
}

struct Moments {
  double mean = 0, variance = 0, skewness = 0, kurtosis = 0;
};

template <class F>
Moments moments_of(F draw, std::uint64_t n) {
  Moments m;
  for (std::uint64_t i = 0; i < n; ++i) m.mean += draw(i) / static_cast<double>(n);
  for (std::uint64_t i = 0; i < n; ++i) {
    const double d = draw(i) - m.mean;
    m.variance += d * d / static_cast<double>(n);
    m.skewness += d * d * d / static_cast<double>(n);
    m.kurtosis += d * d * d * d / static_cast<double>(n);
  }
  m.skewness /= std::pow(m.variance, 1.5);
  m.kurtosis /= m.variance * m.variance;
  return m;
}

// Tolerances are five standard errors of 400,000 draws.
TEST(Philox, UniformMoments) {
  const Philox random(11, 0);
  const Moments m = moments_of([&](std::uint64_t i) { return random.uniform(i); }, 400'000);
  EXPECT_NEAR(m.mean, 0.5, 0.0023);
  EXPECT_NEAR(m.variance, 1.0 / 12, 0.0006);
  EXPECT_NEAR(m.kurtosis, 1.8, 0.01);
}

TEST(Philox, UniformStaysInside) {
  const Philox random(12, 0);
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    const double u = random.uniform(i);
    ASSERT_GT(u, 0);
    ASSERT_LT(u, 1);
  }
}

TEST(Philox, NormalMoments) {
  const Philox random(13, 0);
  const Moments m = moments_of([&](std::uint64_t i) { return random.normal(i); }, 400'000);
  EXPECT_NEAR(m.mean, 0, 0.008);
  EXPECT_NEAR(m.variance, 1, 0.012);
  EXPECT_NEAR(m.skewness, 0, 0.02);
  EXPECT_NEAR(m.kurtosis, 3, 0.04);
}

TEST(Philox, NeighboursAreUncorrelated) {
  const Philox random(14, 0);
  double sum = 0;
  constexpr int kPairs = 400'000;
  for (std::uint64_t i = 0; i < kPairs; ++i) sum += random.normal(i) * random.normal(i + 1);
  EXPECT_NEAR(sum / kPairs, 0, 0.008);
}

TEST(Philox, BelowIsUniformOverItsRange) {
  const Philox random(15, 0);
  std::vector<int> count(7, 0);
  for (std::uint64_t i = 0; i < 70'000; ++i) ++count[random.below(i, 7)];
  for (const int c : count) EXPECT_NEAR(c, 10'000, 500);
}

}  // namespace
}  // namespace stepmark
