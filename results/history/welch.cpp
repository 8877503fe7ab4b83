// SPDX-License-Identifier: Apache-2.0
// Sample standard deviations (n - 1): with those of a population a side of few points looks surer
// than it is. Boost.Math: Student's t.
#include "results/history/welch.h"

#include <algorithm>
#include <cmath>

#include "core/stats.h"
#include "core/stats/distributions.h"

namespace stepmark {
namespace {

struct Products {
  double lagged = 0, squares = 0;
};

void add_products(std::span<const double> x, Products& out) {
  const double middle = mean(x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    out.squares += (x[i] - middle) * (x[i] - middle);
    if (i > 0) out.lagged += (x[i] - middle) * (x[i - 1] - middle);
  }
}

}  // namespace

MeansTest welch_test(std::span<const double> a, std::span<const double> b, double share,
                     double least_sd) {
  const auto part = [&](std::span<const double> x) {
    const double sd = std::max(standard_deviation(x), least_sd);
    return sd * sd / std::max(1.0, static_cast<double>(x.size()) * share);
  };
  const auto freedom = [&](std::span<const double> x) {
    return std::max(1.0, static_cast<double>(x.size()) * share - 1);
  };
  const double of_a = part(a), of_b = part(b);
  MeansTest out{.difference = mean(b) - mean(a), .standard_error = std::sqrt(of_a + of_b)};
  const double below = of_a * of_a / freedom(a) + of_b * of_b / freedom(b);
  out.freedom = below > 0 ? (of_a + of_b) * (of_a + of_b) / below : freedom(a) + freedom(b);
  if (!(out.standard_error > 0)) {
    out.p = out.difference == 0 ? 1 : 0;
    return out;
  }
  out.p = 2 * student_upper_tail(out.freedom, std::abs(out.difference) / out.standard_error);
  return out;
}

double half_width(const MeansTest& test, double confidence) {
  return student_upper_quantile(test.freedom, (1 - confidence) / 2) * test.standard_error;
}

double neighbour_correlation(std::span<const double> a, std::span<const double> b) {
  Products sums;
  add_products(a, sums);
  add_products(b, sums);
  const double n = static_cast<double>(a.size() + b.size());
  if (!(sums.squares > 0)) return 0;
  // Each side's own mean pulls the estimate down by about 1/n of it; chance moves it by 1/sqrt(n),
  // half of which is taken off: some dependence is believed too often rather than too seldom.
  const double seen = sums.lagged / sums.squares + 2 / n;
  return std::clamp(seen - 0.5 / std::sqrt(n), 0.0, 0.8);
}

}  // namespace stepmark
