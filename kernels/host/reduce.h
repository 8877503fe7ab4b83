// SPDX-License-Identifier: Apache-2.0
// Sums and maxima over a row in many independent lanes: a single vector accumulator would wait for
// its own addition at every step, one long fp32 sum would lose digits, and a maximum that skips NaN
// is no reduction that every compiler turns into vector code.
#pragma once

#include <cstdint>
#include <limits>

namespace stepmark::host {

inline constexpr std::int64_t kLanes = 64;

// Sum of term(i) for i in [begin, end).
template <class F>
[[nodiscard]] inline float sum_in_lanes(std::int64_t begin, std::int64_t end, F term) {
  alignas(64) float lanes[kLanes] = {};
  std::int64_t i = begin;
  for (; i + kLanes <= end; i += kLanes) {
#pragma omp simd
    for (std::int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += term(i + lane);
  }
  for (std::int64_t lane = 0; i < end; ++i, ++lane) lanes[lane] += term(i);
  for (std::int64_t width = kLanes / 2; width > 0; width /= 2) {
    for (std::int64_t lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
  }
  return lanes[0];
}

// Largest term(i) for i in [begin, end), NaN left out; -infinity when there is none.
template <class F>
[[nodiscard]] inline float max_in_lanes(std::int64_t begin, std::int64_t end, F term) {
  const auto larger = [](float a, float b) { return b > a ? b : a; };
  alignas(64) float lanes[kLanes];
  for (float& lane : lanes) lane = -std::numeric_limits<float>::infinity();
  std::int64_t i = begin;
  for (; i + kLanes <= end; i += kLanes) {
#pragma omp simd
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] = larger(lanes[lane], term(i + lane));
    }
  }
  for (std::int64_t lane = 0; i < end; ++i, ++lane) lanes[lane] = larger(lanes[lane], term(i));
  for (std::int64_t width = kLanes / 2; width > 0; width /= 2) {
    for (std::int64_t lane = 0; lane < width; ++lane) {
      lanes[lane] = larger(lanes[lane], lanes[lane + width]);
    }
  }
  return lanes[0];
}

}  // namespace stepmark::host
