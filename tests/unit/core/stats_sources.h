// SPDX-License-Identifier: Apache-2.0
// Random series with known truth for the tests of the statistics. Pure functions of their seeds.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <numbers>
#include <vector>

#include "core/rng.h"

namespace stepmark {

// Independent draws: value i of a series is draw(random, i).
struct Distribution {
  const char* name;
  double true_median;
  std::function<double(const Philox&, std::uint64_t)> draw;
};

inline std::vector<Distribution> distributions() {
  return {{"normal", 0, [](const Philox& r, std::uint64_t i) { return r.normal(i); }},
          {"lognormal", 1, [](const Philox& r, std::uint64_t i) { return std::exp(r.normal(i)); }},
          {"exponential", std::numbers::ln2,
           [](const Philox& r, std::uint64_t i) { return -std::log(r.uniform(i)); }},
          // Two equal humps 1.5 standard deviations to each side of the median.
          {"bimodal", 0, [](const Philox& r, std::uint64_t i) {
             return r.normal(2 * i) + (r.u32(8 * i + 7) % 2 == 0 ? 1.5 : -1.5);
           }}};
}

inline std::vector<double> draw_series(const Distribution& from, std::size_t n, std::uint64_t seed,
                                       std::uint64_t stream) {
  const Philox random(seed, stream);
  std::vector<double> x;
  for (std::size_t i = 0; i < n; ++i) x.push_back(from.draw(random, i));
  return x;
}

// Stationary first-order autoregression, mean 0, standard deviation 1.
inline std::vector<double> autoregression(double phi, std::size_t n, std::uint64_t seed,
                                          std::uint64_t stream) {
  const Philox random(seed, stream);
  std::vector<double> x;
  double value = random.normal(0);
  for (std::size_t i = 0; i < n; ++i) {
    value = phi * value + std::sqrt(1 - phi * phi) * random.normal(i + 1);
    x.push_back(value);
  }
  return x;
}

}  // namespace stepmark
