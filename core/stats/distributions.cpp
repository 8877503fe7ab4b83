// SPDX-License-Identifier: Apache-2.0
// In Boost's default precision, long double inside. What asks for some digits many times over
// (shared_error.cpp, dependence.cpp) asks Boost itself, without.
#include "core/stats/distributions.h"

#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/non_central_t.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <boost/math/special_functions/polygamma.hpp>
#include <boost/math/special_functions/trigamma.hpp>
#include <cmath>

namespace stepmark {
namespace {

using boost::math::complement;
using boost::math::students_t;

constexpr double kNoShift = 1e-9;

}  // namespace

double normal_cdf(double x) { return boost::math::cdf(boost::math::normal(), x); }

double normal_quantile(double p) { return boost::math::quantile(boost::math::normal(), p); }

double student_upper_tail(double freedom, double x) {
  return boost::math::cdf(complement(students_t(freedom), x));
}

double student_quantile(double freedom, double p) {
  return boost::math::quantile(students_t(freedom), p);
}

double student_upper_quantile(double freedom, double tail) {
  return boost::math::quantile(complement(students_t(freedom), tail));
}

double noncentral_t_cdf(double freedom, double shift, double x) {
  if (std::abs(shift) < kNoShift) return boost::math::cdf(students_t(freedom), x);
  return boost::math::cdf(boost::math::non_central_t(freedom, shift), x);
}

double noncentral_t_quantile(double freedom, double shift, double p) {
  if (std::abs(shift) < kNoShift) return student_quantile(freedom, p);
  return boost::math::quantile(boost::math::non_central_t(freedom, shift), p);
}

double chi_squared_quantile(double freedom, double p) {
  return boost::math::quantile(boost::math::chi_squared(freedom), p);
}

double binomial_cdf(std::size_t n, double p, std::size_t k) {
  if (k >= n || p <= 0) return 1;
  if (p >= 1) return 0;
  return boost::math::cdf(boost::math::binomial_distribution<double>(static_cast<double>(n), p),
                          static_cast<double>(k));
}

double polygamma(int order, double x) {
  return order == 1 ? boost::math::trigamma(x) : boost::math::polygamma(order, x);
}

}  // namespace stepmark
