// SPDX-License-Identifier: Apache-2.0
// Initial values of parameters: from a counter-based generator by parameter and index, the same for
// every layout.
#include <cmath>
#include <numbers>
#include <utility>

#include "core/rng.h"
#include "harness/spec/param_layout.h"

namespace stepmark {
namespace {

// rng.normal(2 k) and rng.normal(2 k + 1), which share their radius and angle.
std::pair<double, double> normal_pair(const Philox& rng, std::uint64_t k) {
  const double radius = std::sqrt(-2 * std::log(rng.uniform(2 * k)));
  const double angle = 2 * std::numbers::pi * rng.uniform(2 * k + 1);
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

// Standard deviation 0.02 with residual projections scaled by 1/sqrt(2 layers), as GPT-2. Biases
// and gains get the same noise, so that a test would see a gradient that ignores them.
float from_normal(const Param& param, const Model& model, double normal) {
  const double noise = 0.02 * normal;
  switch (param.init) {
    case ParamInit::ones:
      return static_cast<float>(1.0 + noise);
    case ParamInit::residual_normal:
      return static_cast<float>(noise / std::sqrt(2.0 * static_cast<double>(model.layers)));
    case ParamInit::normal:
      break;
  }
  return static_cast<float>(noise);
}

}  // namespace

float initial_value(const Param& param, const Model& model, std::uint64_t seed,
                    std::int64_t global_row, std::int64_t global_col) {
  const auto index = static_cast<std::uint64_t>(global_row * param.global_cols + global_col);
  return from_normal(param, model, Philox(seed, param.id).normal(index));
}

void initial_row(const Param& param, const Model& model, std::uint64_t seed,
                 std::int64_t global_row, std::int64_t col_begin, std::span<float> out) {
  const Philox rng(seed, param.id);
  const auto begin = static_cast<std::uint64_t>(global_row * param.global_cols + col_begin);
  for (std::size_t i = 0; i < out.size();) {
    const auto [even, odd] = normal_pair(rng, (begin + i) / 2);
    if ((begin + i) % 2 == 0) out[i++] = from_normal(param, model, even);
    if (i < out.size()) out[i++] = from_normal(param, model, odd);
  }
}

}  // namespace stepmark
