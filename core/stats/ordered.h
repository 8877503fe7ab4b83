// SPDX-License-Identifier: Apache-2.0
// A sample sorted once for whatever asks for its order: quantiles, ranks, normal scores, the
// interval of its median. Internal to core/stats and to whoever asks several of these of one long
// sample.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/stats.h"

namespace stepmark {

// In rising order of value.
struct Placed {
  double value = 0;
  std::uint32_t place = 0;  // in the sample, from 0
};
// Error(kInternal) for more than 2^32 values.
[[nodiscard]] std::vector<Placed> in_order(std::span<const double> x);
// The order of x.subspan(from), from that of x.
[[nodiscard]] std::vector<Placed> order_from(std::span<const Placed> order, std::size_t from);
[[nodiscard]] std::vector<double> values_of(std::span<const Placed> order);
// One sorted sample of several.
[[nodiscard]] std::vector<double> merged(std::span<const std::vector<double>> sorted);

// As the functions of core/stats.h without `order` or of `sorted` values.
[[nodiscard]] double quantile_of_sorted(std::span<const double> sorted, double p);
[[nodiscard]] Interval interval_of_sorted(std::span<const double> sorted, double effective_n,
                                          double confidence);
[[nodiscard]] double deviation_of_sorted(std::span<const double> sorted);  // median absolute
[[nodiscard]] double clock_tick_of_sorted(std::span<const double> sorted);
[[nodiscard]] Dependence dependence_of_median(std::span<const Placed> order);
[[nodiscard]] std::size_t steady_state_start(std::span<const double> x,
                                             std::span<const Placed> order);
[[nodiscard]] MedianEstimate estimate_median(std::span<const double> x,
                                             std::span<const Placed> order,
                                             std::span<const double> sorted, double confidence);

}  // namespace stepmark
