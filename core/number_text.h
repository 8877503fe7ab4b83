// SPDX-License-Identifier: Apache-2.0
// Numbers in sentences.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <string>
#include <string_view>

namespace stepmark {

// The value in the given form ("{:.4f}"), where it is one; else "not a number" or "infinite", which
// printing leaves as "nan", "-nan" or "inf" depending on a sign that means nothing.
[[nodiscard]] inline std::string number_text(std::string_view form, double value) {
  if (std::isnan(value)) {
    return "not a number";
  }
  return std::isinf(value) ? (value < 0 ? "minus infinite" : "infinite")
                           : fmt::format(fmt::runtime(form), value);
}

}  // namespace stepmark
