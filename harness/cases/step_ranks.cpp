// SPDX-License-Identifier: Apache-2.0
// Maxima over ranks; a sum is the sum of one value per rank, gathered by a maximum over a list of
// all.
#include "harness/cases/step_ranks.h"

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace stepmark {
namespace {

double sum_over_ranks(Control& control, double value) {
  std::vector<double> values(static_cast<std::size_t>(control.size()),
                             -std::numeric_limits<double>::infinity());
  values[static_cast<std::size_t>(control.rank())] = value;
  control.max_in_place(values);
  return std::accumulate(values.begin(), values.end(), 0.0);
}

// Sizes in bytes are far below 2^53.
void take_most(Control& control, std::int64_t& value) {
  value = static_cast<std::int64_t>(max_over_ranks(control, static_cast<double>(value)));
}

}  // namespace

StepFacts over_ranks(Control& control, StepFacts own) {
  take_most(control, own.peak_bytes);
  take_most(control, own.buffer_bytes);
  take_most(control, own.padding.memory_bytes);
  take_most(control, own.padding.parameters);
  own.padding.flops = sum_over_ranks(control, own.padding.flops);
  own.padding.model_kernel_flops = sum_over_ranks(control, own.padding.model_kernel_flops);
  // All ranks have groups of the same names.
  for (auto& [axis, traffic] : own.traffic) {
    traffic.bus_bytes = max_over_ranks(control, traffic.bus_bytes);
  }
  return own;
}

double loss_of_step(Control& control, const StepState& state) {
  constexpr double kNone = -std::numeric_limits<double>::infinity();
  double own = kNone;
  if (state.has_loss()) {
    const double loss = state.loss();
    own = std::isfinite(loss) ? loss : std::numeric_limits<double>::infinity();
  }
  const double loss = max_over_ranks(control, own);
  return std::isfinite(loss) ? loss : std::nan("");
}

}  // namespace stepmark
