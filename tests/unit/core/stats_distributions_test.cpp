// SPDX-License-Identifier: Apache-2.0
// Against printed tables and closed forms.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "core/stats/distributions.h"

namespace stepmark {
namespace {

TEST(Distributions, Normal) {
  EXPECT_NEAR(normal_quantile(0.975), 1.959963985, 1e-9);
  EXPECT_NEAR(normal_cdf(1), 0.8413447461, 1e-10);
}

TEST(Distributions, Student) {
  EXPECT_NEAR(student_quantile(10, 0.975), 2.228, 5e-4);
  EXPECT_NEAR(student_quantile(1, 0.75), 1, 1e-12);  // Cauchy
  EXPECT_NEAR(student_upper_quantile(2, 0.005), 9.925, 5e-4);
  EXPECT_NEAR(student_upper_tail(1, 1), 0.25, 1e-12);
}

// Factors of one-sided tolerance limits, 95 % of a normal population with 95 % confidence, are
// quantiles of the noncentral t over the root of n.
TEST(Distributions, NoncentralT) {
  const auto factor = [](int n) {
    return noncentral_t_quantile(n - 1, normal_quantile(0.95) * std::sqrt(n), 0.95) / std::sqrt(n);
  };
  EXPECT_NEAR(factor(10), 2.911, 1e-3);
  EXPECT_NEAR(factor(30), 2.220, 1e-3);
  EXPECT_NEAR(noncentral_t_cdf(7, 1.5, 0), normal_cdf(-1.5), 1e-9);
  EXPECT_DOUBLE_EQ(noncentral_t_quantile(7, 0, 0.9), student_quantile(7, 0.9));
  EXPECT_NEAR(noncentral_t_cdf(7, 0, 2), 1 - student_upper_tail(7, 2), 1e-12);
}

TEST(Distributions, ChiSquared) {
  EXPECT_NEAR(chi_squared_quantile(10, 0.95), 18.307, 5e-4);
  EXPECT_NEAR(chi_squared_quantile(2, 0.5), 2 * std::numbers::ln2, 1e-12);
}

TEST(Distributions, Binomial) {
  EXPECT_NEAR(binomial_cdf(10, 0.5, 2), 56.0 / 1024, 1e-12);
  EXPECT_EQ(binomial_cdf(10, 0.5, 10), 1);
  EXPECT_EQ(binomial_cdf(10, 0, 0), 1);
  EXPECT_EQ(binomial_cdf(10, 1, 9), 0);
}

TEST(Distributions, Polygamma) {
  EXPECT_NEAR(polygamma(1, 1), std::numbers::pi * std::numbers::pi / 6, 1e-12);
  EXPECT_NEAR(polygamma(2, 1), -2.404113806, 1e-9);  // -2 zeta(3)
}

}  // namespace
}  // namespace stepmark
