// SPDX-License-Identifier: Apache-2.0
// The pieces of a change point: the split by its definition, the permutation test's values, Welch's
// test against figures computed by hand, and the layer that moved.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/rng.h"
#include "results/history/divisive.h"
#include "results/history/layer.h"
#include "results/history/welch.h"

namespace stepmark {
namespace {

// By the formula, pair by pair.
double q_by_definition(const std::vector<double>& x, std::size_t at) {
  const auto mean_distance = [&](std::size_t a, std::size_t b, std::size_t c, std::size_t d) {
    double sum = 0;
    int pairs = 0;
    for (std::size_t i = a; i < b; ++i) {
      for (std::size_t j = c; j < d; ++j) {
        if (i == j) continue;
        sum += std::abs(x[i] - x[j]);
        ++pairs;
      }
    }
    return sum / pairs;
  };
  const std::size_t n = x.size();
  const double left = static_cast<double>(at), right = static_cast<double>(n - at);
  return left * right / (left + right) *
         (2 * mean_distance(0, at, at, n) - mean_distance(0, at, 0, at) -
          mean_distance(at, n, at, n));
}

TEST(Divisive, TheBestSplitIsThatOfTheDefinition) {
  const std::vector<double> x = {1.0, 1.2, 0.9, 1.1, 1.3, 1.0, 2.0, 2.2, 1.9, 2.3, 2.1, 1.8};
  const Split split = best_split(x, 3, 4);
  double best = 0;
  std::size_t at = 0;
  for (std::size_t i = 3; i + 4 <= x.size(); ++i) {
    if (const double q = q_by_definition(x, i); q > best) {
      best = q;
      at = i;
    }
  }
  EXPECT_EQ(split.at, at);
  EXPECT_EQ(at, 6U);
  EXPECT_NEAR(split.q, best, 1e-12);
  EXPECT_EQ(best_split(x, 7, 6).at, 0U);  // no room
}

TEST(Divisive, PermutationsOfAStepAreRarelyAsGoodAndNeverImpossible) {
  std::vector<double> x;
  for (int i = 0; i < 40; ++i) x.push_back((i < 20 ? 0 : 5) + 0.1 * (i % 7));
  const Split split = best_split(x, 5, 5);
  EXPECT_DOUBLE_EQ(permutation_p(x, split.q, {.permutations = 999, .level = 0.01}), 0.001);
  // What is no better than chance stops as soon as it must be over the level.
  EXPECT_DOUBLE_EQ(permutation_p(x, 0, {.permutations = 999, .level = 0.01}), 0.011);
  // The same seed, the same value.
  const std::vector<double> none = {3, 1, 2, 5, 4, 2, 3, 1, 5, 2, 4, 3, 1, 2, 3, 4};
  const double q = best_split(none, 5, 5).q;
  const PermutationTest all{.permutations = 499, .level = 1};
  const double p = permutation_p(none, q, all);
  EXPECT_GT(p, 0.05);
  EXPECT_EQ(p, permutation_p(none, q, all));
}

// The permutation test as docs/history.md says it, without any haste.
double plain_p(const std::vector<double>& x, double q, const PermutationTest& test) {
  const Philox random(test.seed, test.stream);
  std::uint64_t drawn = 0;
  const auto below = [&](std::size_t bound) {
    return static_cast<std::size_t>((std::uint64_t{random.u32(drawn++)} * bound) >> 32U);
  };
  const double of = test.permutations + 1;
  int as_good = 0;
  for (int i = 0; i < test.permutations && (as_good + 1) / of <= test.level; ++i) {
    std::vector<std::size_t> order((x.size() + test.block - 1) / test.block);
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (std::size_t k = order.size(); k > 1; --k) std::swap(order[k - 1], order[below(k)]);
    const std::size_t offset = test.block > 1 ? below(x.size()) : 0;
    std::vector<double> permuted;
    for (const std::size_t block : order) {
      for (std::size_t k = 0; k < test.block && block * test.block + k < x.size(); ++k) {
        permuted.push_back(x[(block * test.block + k + offset) % x.size()]);
      }
    }
    double best = -1e300;
    for (std::size_t at = test.left; at + test.right <= x.size(); ++at) {
      best = std::max(best, q_by_definition(permuted, at));
    }
    as_good += best >= q * (1 - 1e-12) ? 1 : 0;
  }
  return (as_good + 1) / of;
}

// Series of every length, with blocks, and of a coarse clock, whose splits are often equally good.
TEST(Divisive, AQuickLookDecidesWhatTheDefinitionDoes) {
  const Philox random(81, 0);
  std::uint64_t drawn = 0;
  for (std::size_t n = 15; n <= 45; n += 3) {
    std::vector<double> x;
    for (std::size_t i = 0; i < n; ++i) {
      const double noise = random.normal(drawn++);
      x.push_back(-7 + 0.01 * ((n % 2 == 0 ? noise : std::round(noise)) + (i > n / 2 ? 1 : 0)));
    }
    for (const std::size_t block : {1, 2, 4}) {
      const PermutationTest test{
          .block = block, .permutations = 60, .level = 1, .seed = 3, .stream = n};
      const double q = best_split(x, test.left, test.right).q;
      for (const double share : {0.2, 0.6, 1.0}) {
        EXPECT_EQ(permutation_p(x, share * q, test), plain_p(x, share * q, test))
            << n << ' ' << block;
      }
    }
  }
}

// x = 1..5 and 3..9 step 1.5: means 3 and 6, sample variances 2.5 and 5.625.
TEST(Welch, FiguresByHand) {
  const std::array<double, 5> a = {1, 2, 3, 4, 5};
  const std::array<double, 5> b = {3, 4.5, 6, 7.5, 9};
  const MeansTest test = welch_test(a, b, 1, 0);
  EXPECT_DOUBLE_EQ(test.difference, 3);
  EXPECT_NEAR(test.standard_error, std::sqrt(2.5 / 5 + 5.625 / 5), 1e-12);
  // (0.5 + 1.125)^2 / (0.5^2 / 4 + 1.125^2 / 4)
  EXPECT_NEAR(test.freedom, 6.969, 1e-3);
  EXPECT_NEAR(test.p, 0.0509, 2e-3);
  // Half as many independent samples: errors are wider and there is less to tell them by.
  EXPECT_GT(welch_test(a, b, 0.5, 0).p, test.p);
}

TEST(Layer, WhatMovedTellsWhere) {
  const auto name = [](const LayerEvidence& evidence) { return probable_layer(evidence).name; };
  EXPECT_EQ(name({.device = {4, 10}, .within_host = {0, 6}, .whole = {2, 2}}), "kernel");
  EXPECT_EQ(name({.device = {0, 10}, .within_host = {3, 6}, .across_hosts = {6, 6}}), "scale-up");
  EXPECT_EQ(name({.device = {0, 10}, .within_host = {0, 6}, .across_hosts = {2, 6}}), "scale-out");
  EXPECT_EQ(name({.device = {0, 10}, .within_host = {0, 6}, .whole = {2, 2}}), "host");
  EXPECT_EQ(name({.device = {9, 10}, .within_host = {6, 6}, .whole = {2, 2}}), "host");
  EXPECT_EQ(name({.device = {0, 10}, .unknown_reach = {6, 6}}), "scale-up or scale-out");
  EXPECT_EQ(name({.whole = {2, 2}}), "unknown");
  // One of many kernels says nothing of kernels.
  EXPECT_EQ(name({.device = {1, 10}, .within_host = {0, 6}}), "unknown");
}

}  // namespace
}  // namespace stepmark
