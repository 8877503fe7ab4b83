// SPDX-License-Identifier: Apache-2.0
// How likely a comparison that is still to be made decides, from the spread that runs have shown so
// far. Internal to results/compare.
#pragma once

#include <cstddef>

#include "core/stats.h"

namespace stepmark {

// The error of a case's log ratio in that comparison, as far as it is known now: `freedom` of the
// parts is that which it will have then.
struct FutureError {
  ErrorPart common, own;
  double known_freedom = 0;  // of the whole, today
};

// What is wanted of it, on the log scale.
struct DecisionGoal {
  double find_beyond = 0;  // a true ratio this far beyond the margin is found; 0: not wanted
  double same_within =
      0;  // a true ratio this far inside both margins is called same; 0: not wanted
  double power = 0.9;
  double alpha = 0.05;
  std::size_t cases = 1;  // judged together
};

// Probability to find (to call same), averaged over what the true spread may be and over the spread
// that the comparison will estimate anew.
[[nodiscard]] double power_to_find(const FutureError& error, const DecisionGoal& goal);
[[nodiscard]] double power_to_call_same(const FutureError& error, const DecisionGoal& goal);
// The lower of those that are wanted; 1: neither.
[[nodiscard]] double power_to_decide(const FutureError& error, const DecisionGoal& goal);

}  // namespace stepmark
