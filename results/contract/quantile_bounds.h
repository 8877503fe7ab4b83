// SPDX-License-Identifier: Apache-2.0
// Confidence bounds of a quantile from few values, and how many more would place it. Pure functions
// of doubles; method and sources: quantile_bounds.cpp, docs/contract.md.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace stepmark {

enum class BoundMethod : std::uint8_t {
  none,              // too few values: the bound is infinite
  order_statistics,  // whatever the distribution
  log_normal         // too few for that: logarithms are taken as normal
};
[[nodiscard]] std::string_view name_of(BoundMethod method);

struct QuantileBound {
  double value = 0;
  BoundMethod method = BoundMethod::none;
};

// How often each bound may lie on the wrong side of the true quantile.
struct Tails {
  double below = 0.025;  // of the lower bound: it lies above the quantile
  double above = 0.025;  // of the upper bound: it lies below the quantile
};

struct QuantileBounds {
  double estimate = 0;  // type 7, as core/stats.h
  QuantileBound lower, upper;
};

// `within_sd`: relative standard deviation that each value's own samples explain; the spread of the
// values is taken at least as large (log-normal bounds only).
[[nodiscard]] QuantileBounds quantile_bounds(std::span<const double> values, double quantile,
                                             const Tails& tails, double within_sd);

inline constexpr std::size_t kMostFurther = 1000;  // beyond, the quantile lies on the limit

// How many more values would put the quantile above or below `limit` with 90 % power, if they are
// like those seen; nothing where kMostFurther would not do, or nothing tells the spread.
[[nodiscard]] std::optional<std::size_t> further_values(std::span<const double> values,
                                                        double limit, double quantile,
                                                        const Tails& tails, double within_sd);

// Fewest values with which order statistics give that bound.
[[nodiscard]] std::size_t fewest_for_lower(double quantile, double tail);
[[nodiscard]] std::size_t fewest_for_upper(double quantile, double tail);

}  // namespace stepmark
