// SPDX-License-Identifier: Apache-2.0
// A figure that says what it is: unit, formula, source, value, and an interval where its inputs
// have one. Pure values; an input that is missing, not finite or not positive makes the figure N/A
// with the input's name, never 0 and never a guess. Intervals of several inputs take the worst ends
// of each: they cover at least what each input's interval does together.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace stepmark::normalise {

// What a figure is computed from. Without bounds it is a fact (a count, a datasheet's number).
struct Measured {
  std::optional<double> value = {}, lower = {}, upper = {};
};
[[nodiscard]] Measured exactly(std::optional<double> value);

struct Definition {
  std::string_view name, unit, formula, source;
  bool higher_is_better = true;
};

struct Figure {
  const Definition* definition = nullptr;
  std::optional<double> value = {}, lower = {}, upper = {};
  std::string why = {};    // of N/A
  bool by_nature = false;  // N/A although nothing is missing: one rank has no bus
  [[nodiscard]] Measured measured() const { return {value, lower, upper}; }
};

// An input with the name that stands in "NAME is not known".
struct Input {
  std::string_view name;
  Measured measured;
};

[[nodiscard]] Figure not_available(const Definition& definition, std::string why);
// above / below, bounds turned round where they must be; bounds only where one of them has some.
[[nodiscard]] Figure quotient(const Definition& definition, const Input& above, const Input& below);
// The same of a share: over 1 it is none, and N/A with what must be wrong.
[[nodiscard]] Figure share(const Definition& definition, const Input& above, const Input& below,
                           std::string_view wrong);

}  // namespace stepmark::normalise
