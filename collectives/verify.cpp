// SPDX-License-Identifier: Apache-2.0
// A verification in words: how many elements are wrong, where the first is, what was expected, and
// damage around the buffers. That nothing was checked is a failure, not a pass.
#include "collectives/verify.h"

#include <fmt/format.h>

#include <cmath>

#include "core/number_text.h"

namespace stepmark {

std::string Verification::describe() const {
  std::string text;
  if (wrong > 0) {
    const std::string want =
        std::isnan(expected) ? "it untouched" : fmt::format("{:.17g}", expected);
    text = fmt::format("{} of {} elements wrong, the first at index {}{}: expected {}, got {}",
                       wrong, checked, first_bad, cause.empty() ? "" : " (" + cause + ")", want,
                       number_text("{:.17g}", got));
  }
  if (!damage.empty()) text += (text.empty() ? "" : "; ") + damage;
  if (text.empty() && checked == 0 && moves_data) return "not one element was checked";
  if (text.empty()) text = fmt::format("all {} elements exact", checked);
  return text;
}

}  // namespace stepmark
