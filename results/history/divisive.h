// SPDX-License-Identifier: Apache-2.0
// The split of E-divisive (Matteson & James, arXiv 1306.4933, alpha = 1) and its permutation test.
// Internal to results/history.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace stepmark {

struct Split {
  std::size_t at = 0;  // first point of the right side
  double q = 0;        // nm/(n+m) * (2 mean|X-Y| - mean|X-X'| - mean|Y-Y'|)
};

// The split of greatest q with at least `left` and `right` points; at = 0 where there is none.
[[nodiscard]] Split best_split(std::span<const double> x, std::size_t left, std::size_t right);

struct PermutationTest {
  std::size_t left = 5, right = 5;  // fewest points, as of the split that is tested
  std::size_t block = 1;            // points that stay together, since neighbours are alike
  int permutations = 1999;
  double level = 0.001;
  std::uint64_t seed = 1, stream = 0;
};
// (count + 1) / (permutations + 1) of splits of permuted points that are at least as good; once it
// must be over `level`, the test stops, and a value over `level` is returned.
[[nodiscard]] double permutation_p(std::span<const double> x, double q,
                                   const PermutationTest& test);

}  // namespace stepmark
