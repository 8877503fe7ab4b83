// SPDX-License-Identifier: Apache-2.0
// Welch's test of two means, with samples that depend on their neighbours. Internal to
// results/history.
#pragma once

#include <span>

namespace stepmark {

struct MeansTest {
  double difference = 0;      // mean(b) - mean(a)
  double standard_error = 0;  // of it
  double freedom = 1;         // Welch & Satterthwaite
  double p = 1;               // two-sided, of no difference
};
// `share`: what part of the samples counts as independent, within (0, 1]. Sides of at least two.
// `least_sd`: resolution of the samples; a side that is more even than that is not believed.
[[nodiscard]] MeansTest welch_test(std::span<const double> a, std::span<const double> b,
                                   double share, double least_sd);
// Half-width of the interval of the difference.
[[nodiscard]] double half_width(const MeansTest& test, double confidence);

// Correlation of neighbours within both sides, less what chance alone would show; 0 for none.
[[nodiscard]] double neighbour_correlation(std::span<const double> a, std::span<const double> b);

}  // namespace stepmark
