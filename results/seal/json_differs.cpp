// SPDX-License-Identifier: Apache-2.0
// Walks both values side by side; depth is bounded by parse_json().
#include "results/seal/json_differs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "results/record/json_text.h"

namespace stepmark {

namespace {

constexpr double kTolerance = 1e-9;  // as of figures: results/record/recompute.cpp

bool alike(const nlohmann::json& a, const nlohmann::json& b) {
  if (a.is_number() && b.is_number()) {
    const auto x = a.get<double>(), y = b.get<double>();
    return std::abs(x - y) <= kTolerance * std::max({std::abs(x), std::abs(y), 1e-300});
  }
  return a == b;
}

std::optional<std::string> differs(const nlohmann::json& a, const nlohmann::json& b,
                                   bool known_only, const std::string& place) {
  if (a.is_object() && b.is_object()) {
    for (const auto& [key, value] : a.items()) {
      const auto other = b.find(key);
      if (other == b.end()) {
        if (known_only) continue;
        return fmt::format("{}.{}: nothing like that follows", place, key);
      }
      if (auto found = differs(value, *other, known_only, fmt::format("{}.{}", place, key)))
        return found;
    }
    for (const auto& [key, value] : b.items()) {
      if (!known_only && !a.contains(key)) return fmt::format("{}.{}: missing", place, key);
    }
    return std::nullopt;
  }
  if (a.is_array() && b.is_array() && a.size() == b.size()) {
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (auto found = differs(a[i], b[i], known_only, fmt::format("{}[{}]", place, i))) {
        return found;
      }
    }
    return std::nullopt;
  }
  const auto shown = [](const nlohmann::json& value) {
    return value.is_structured() ? fmt::format("{} of {}", value.type_name(), value.size())
                                 : json_text(value);
  };
  return alike(a, b)
             ? std::nullopt
             : std::optional(fmt::format("{}: {}, {} follows",
                                         place.substr(std::min<std::size_t>(1, place.size())),
                                         shown(a), shown(b)));
}

}  // namespace

std::optional<std::string> first_difference_of(const nlohmann::json& claimed,
                                               const nlohmann::json& follows, bool known_only) {
  return differs(claimed, follows, known_only, "");
}

}  // namespace stepmark
