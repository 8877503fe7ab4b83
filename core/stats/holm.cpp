// SPDX-License-Identifier: Apache-2.0
// Holm's step-down adjustment (Scandinavian Journal of Statistics 6, 1979): keeps the chance of any
// false alarm among all comparisons at the level of one. Comparisons without a p-value (NaN) stay
// NaN and do not count.
#include <algorithm>
#include <cmath>

#include "core/stats.h"

namespace stepmark {

std::vector<double> holm_adjust(std::span<const double> p_values) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < p_values.size(); ++i) {
    if (!std::isnan(p_values[i])) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> adjusted(p_values.begin(), p_values.end());
  double floor = 0;  // adjusted values never decrease
  for (std::size_t step = 0; step < order.size(); ++step) {
    const double scaled = p_values[order[step]] * static_cast<double>(order.size() - step);
    floor = std::max(floor, std::min(scaled, 1.0));
    adjusted[order[step]] = floor;
  }
  return adjusted;
}

}  // namespace stepmark
