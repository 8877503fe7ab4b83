// SPDX-License-Identifier: Apache-2.0
// Plans drawn by a seed over everything that a plan can ask for, kept where the product's own rules
// call them legal. One line of the table is one axis.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/equivalence_steps/step_run.h"

namespace stepmark {

// A key of plans and what is drawn for it; empty: left out. The first is what a plan has that does
// not ask for the axis.
struct DrawnAxis {
  std::string_view key;
  std::vector<std::string_view> values;
  bool form = true;  // a parallel form, or what goes with one; else a matter of numbers and order
};
[[nodiscard]] const std::vector<DrawnAxis>& drawn_axes();

struct MixedPlan {
  Model model;                          // tied or not, layers that its stages share unevenly
  Plan plan;                            // resolved
  std::string text;                     // as drawn: what to repeat
  std::vector<std::string_view> drawn;  // by axis
};

// The `index`-th plan of `seed` on `world` ranks that mixes at least two forms: a pure function.
[[nodiscard]] MixedPlan draw_mixed_plan(std::uint64_t seed, std::uint64_t index,
                                        std::int64_t world);

}  // namespace stepmark
