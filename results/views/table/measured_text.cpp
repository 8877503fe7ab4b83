// SPDX-License-Identifier: Apache-2.0
// Bounds are shown with the digits of their value.
#include "results/views/table/measured_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "results/views/table/format.h"

namespace stepmark {

using normalise::Measured;

std::string with_interval(const Measured& value, int digits) {
  if (!value.value || !std::isfinite(*value.value)) return kNotAvailable;
  const bool bounded =
      value.lower && value.upper && std::isfinite(*value.lower) && std::isfinite(*value.upper);
  return bounded ? fmt::format("{:.{}f} [{:.{}f}, {:.{}f}]", *value.value, digits, *value.lower,
                               digits, *value.upper, digits)
                 : fmt::format("{:.{}f} [?]", *value.value, digits);
}

std::string money_text(const Measured& value) {
  if (!value.value || !std::isfinite(*value.value)) return kNotAvailable;
  constexpr double kWithoutCents = 1000;
  const double size = std::max(std::abs(*value.value), 1e-12);
  if (size >= kWithoutCents) return with_interval(value, 0);
  return with_interval(value, std::clamp(3 - static_cast<int>(std::floor(std::log10(size))), 2, 9));
}

}  // namespace stepmark
