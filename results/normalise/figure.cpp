// SPDX-License-Identifier: Apache-2.0
// Division with bounds. An end of an interval that is no positive number bounds nothing, and a
// value that comes out as no finite number is N/A.
#include "results/normalise/figure.h"

#include <fmt/format.h>

#include <cmath>

namespace stepmark::normalise {
namespace {

bool usable(const std::optional<double>& value) {
  return value && std::isfinite(*value) && *value > 0;
}

// An end where there is one, else the value: a fact is its own bound.
std::optional<double> end_of(const Measured& input, const std::optional<double>& end) {
  if (input.lower || input.upper) return usable(end) ? end : std::nullopt;
  return input.value;
}

std::optional<double> ratio(const std::optional<double>& above,
                            const std::optional<double>& below) {
  if (!above || !below) return std::nullopt;
  const double out = *above / *below;
  return std::isfinite(out) ? std::optional(out) : std::nullopt;
}

bool has_bounds(const Measured& input) { return input.lower || input.upper; }

}  // namespace

Measured exactly(std::optional<double> value) { return {.value = value}; }

Figure not_available(const Definition& definition, std::string why) {
  return {.definition = &definition, .why = std::move(why)};
}

Figure quotient(const Definition& definition, const Input& above, const Input& below) {
  for (const Input* input : {&above, &below}) {
    if (!usable(input->measured.value)) {
      return not_available(definition, fmt::format("{} is not known", input->name));
    }
  }
  Figure out{.definition = &definition, .value = ratio(above.measured.value, below.measured.value)};
  if (!out.value) {
    return not_available(definition, "what it is computed from gives no finite number");
  }
  if (has_bounds(above.measured) || has_bounds(below.measured)) {
    out.lower = ratio(end_of(above.measured, above.measured.lower),
                      end_of(below.measured, below.measured.upper));
    out.upper = ratio(end_of(above.measured, above.measured.upper),
                      end_of(below.measured, below.measured.lower));
  }
  return out;
}

Figure share(const Definition& definition, const Input& above, const Input& below,
             std::string_view wrong) {
  Figure out = quotient(definition, above, below);
  if (out.value && *out.value > 1) {
    return not_available(definition, fmt::format("over 1 ({:g}): {}", *out.value, wrong));
  }
  return out;
}

}  // namespace stepmark::normalise
