// SPDX-License-Identifier: Apache-2.0
// Known truth, fixed seeds: break-even prices cover, and the best of five equal plans is no better
// than one. The long form with its figures: scripts/simulate-across.
#include <gtest/gtest.h>

#include "across_rates.h"

namespace stepmark {
namespace {

// The bounds are those of the seeds: 3 standard errors around the goals of the long run.
TEST(AcrossSimulation, BreakEvenPricesCover) {
  const auto rates = made::simulate({.comparisons = 400, .runs = 4});
  EXPECT_GE(rates.ratio_coverage, 0.917);
  EXPECT_GE(rates.break_even_coverage, 0.917);
  EXPECT_LE(rates.break_even_coverage, 0.99);
}

// Five equal plans against one, no margin: what is chosen for being fast looks faster than it is.
TEST(AcrossSimulation, TheBestOfFiveEqualPlansIsNoVerdict) {
  const auto confirmed =
      made::simulate({.comparisons = 400, .runs = 6, .plans = 5, .margin = 0, .seed = 2});
  EXPECT_LE(confirmed.false_verdicts, 0.08);
  const auto corrected = made::simulate(
      {.comparisons = 400, .runs = 1, .plans = 5, .stated = 0.011, .margin = 0, .seed = 3});
  EXPECT_LE(corrected.false_verdicts, 0.08);
}

}  // namespace
}  // namespace stepmark
