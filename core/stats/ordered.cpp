// SPDX-License-Identifier: Apache-2.0
// Values move with their places: sorting places by what they point at misses the cache at every
// comparison of a long sample.
#include "core/stats/ordered.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"

namespace stepmark {

std::vector<Placed> in_order(std::span<const double> x) {
  STEPMARK_CHECK(x.size() <= std::numeric_limits<std::uint32_t>::max(), "too many values");
  std::vector<Placed> out(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    out[i] = {.value = x[i], .place = static_cast<std::uint32_t>(i)};
  }
  // Values without an order last, so that all have one.
  std::sort(out.begin(), out.end(), [](const Placed& a, const Placed& b) {
    return a.value < b.value || (std::isnan(b.value) && !std::isnan(a.value));
  });
  return out;
}

std::vector<Placed> order_from(std::span<const Placed> order, std::size_t from) {
  std::vector<Placed> out;
  out.reserve(order.size() - std::min(order.size(), from));
  for (const Placed& one : order) {
    if (one.place >= from) {
      out.push_back({.value = one.value, .place = static_cast<std::uint32_t>(one.place - from)});
    }
  }
  return out;
}

std::vector<double> values_of(std::span<const Placed> order) {
  std::vector<double> out;
  out.reserve(order.size());
  for (const Placed& one : order) out.push_back(one.value);
  return out;
}

std::vector<double> merged(std::span<const std::vector<double>> sorted) {
  if (sorted.empty()) return {};
  if (sorted.size() == 1) return sorted.front();
  const auto low = merged(sorted.first(sorted.size() / 2));
  const auto high = merged(sorted.subspan(sorted.size() / 2));
  std::vector<double> out(low.size() + high.size());
  std::merge(low.begin(), low.end(), high.begin(), high.end(), out.begin());
  return out;
}

double quantile_of_sorted(std::span<const double> sorted, double p) {
  if (sorted.empty() || !(p >= 0 && p <= 1)) return std::numeric_limits<double>::quiet_NaN();
  const double position = p * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<std::size_t>(position);
  const double fraction = position - static_cast<double>(low);
  if (fraction == 0) return sorted[low];
  return sorted[low] + fraction * (sorted[low + 1] - sorted[low]);
}

// The deviations of both sides of the median rise away from it: merged as far as their own median.
double deviation_of_sorted(std::span<const double> sorted) {
  const double centre = quantile_of_sorted(sorted, 0.5);
  if (!std::isfinite(centre)) return std::numeric_limits<double>::quiet_NaN();
  auto above = static_cast<std::size_t>(std::lower_bound(sorted.begin(), sorted.end(), centre) -
                                        sorted.begin());
  auto below = above;  // values left below the median
  double last = 0;
  double one = 0;
  for (std::size_t taken = 0; taken < sorted.size() / 2 + 1; ++taken) {
    last = one;
    const bool from_above = below == 0 || (above < sorted.size() &&
                                           sorted[above] - centre <= centre - sorted[below - 1]);
    one = from_above ? sorted[above++] - centre : centre - sorted[--below];
  }
  return sorted.size() % 2 == 1 ? one : last + 0.5 * (one - last);
}

}  // namespace stepmark
