// SPDX-License-Identifier: Apache-2.0
// Distributions of statistics, from Boost.Math, whose headers take long to compile: one source
// reads them, and the two that need more speed than digits. p in (0, 1), degrees of freedom > 0,
// not necessarily whole.
#pragma once

#include <cstddef>

namespace stepmark {

[[nodiscard]] double normal_cdf(double x);
[[nodiscard]] double normal_quantile(double p);

[[nodiscard]] double student_upper_tail(double freedom, double x);  // P(T > x)
[[nodiscard]] double student_quantile(double freedom, double p);
[[nodiscard]] double student_upper_quantile(double freedom, double tail);  // P(T > it) = tail

// Student's t of a normal variable with mean `shift`; Student's own for shifts that are none.
[[nodiscard]] double noncentral_t_cdf(double freedom, double shift, double x);
[[nodiscard]] double noncentral_t_quantile(double freedom, double shift, double p);

[[nodiscard]] double chi_squared_quantile(double freedom, double p);

// P(at most k of n), each with probability p.
[[nodiscard]] double binomial_cdf(std::size_t n, double p, std::size_t k);

// Derivatives of the logarithm of the gamma function: order 1 is the trigamma function.
[[nodiscard]] double polygamma(int order, double x);

}  // namespace stepmark
