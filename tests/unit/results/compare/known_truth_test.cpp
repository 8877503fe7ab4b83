// SPDX-License-Identifier: Apache-2.0
// A short part of what scripts/simulate-decisions counts, with bounds that chance alone does not
// reach: fixed seeds, so that a failure is a change of the method.
#include "known_truth.h"

#include <gtest/gtest.h>

namespace stepmark {
namespace {

using made::known_truth;
using made::Truth;

CompareOptions options_of(double margin, double smallest) {
  CompareOptions out{.margin = margin};
  out.smallest = smallest;
  return out;
}

TEST(KnownTruth, TheAnnouncedRunsFindTwoPercent) {
  const auto rates = known_truth({.comparisons = 60,
                                  .cases = 3,
                                  .samples = 20,
                                  .common = 0.004,
                                  .own = 0.003,
                                  .ratio = 1.02,
                                  .options = options_of(0.01, 0.02),
                                  .by_announced = true});
  EXPECT_EQ(rates.announced, 1);
  EXPECT_GE(rates.found, 0.9);
  EXPECT_GE(rates.same, 0.9);
  EXPECT_LE(rates.false_verdicts, 0.05);
  EXPECT_GT(rates.mean_runs, 6) << "four runs do not decide this, or the test says nothing";
  EXPECT_LT(rates.mean_runs, 40);
}

TEST(KnownTruth, TheAnnouncedSamplesFindTwoPercent) {
  const auto rates = known_truth({.comparisons = 30,
                                  .cases = 3,
                                  .samples = 20,
                                  .noise = 0.03,
                                  .dependence = 0.3,
                                  .common = 0.0005,
                                  .own = 0.0005,
                                  .ratio = 1.02,
                                  .options = options_of(0.01, 0.02),
                                  .by_announced = true});
  EXPECT_GE(rates.found, 0.9);
}

// Four nodes a side, of which each has two runs: eight independent runs they are not.
TEST(KnownTruth, NodesThatDifferAreNoDifferenceOfTheSides) {
  Truth truth{.comparisons = 100,
              .cases = 3,
              .samples = 12,
              .common = 0.002,
              .own = 0.002,
              .node = 0.02,
              .node_case = 0.005,
              .nodes_a = 4,
              .nodes_b = 4,
              .shared_nodes = false,
              .runs = 8,
              .options = options_of(0, 0.02)};
  EXPECT_LE(known_truth(truth).false_verdicts, 0.08);
  truth.shared_nodes = true;
  EXPECT_LE(known_truth(truth).false_verdicts, 0.08);
  truth.shared_nodes = false;
  truth.nodes_a = truth.nodes_b = 1;
  truth.options.margin = 0.02;
  truth.options.smallest.reset();
  EXPECT_LE(known_truth(truth).false_verdicts, 0.05) << "confounded with node";
}

TEST(KnownTruth, IntervalsCover) {
  const auto rates =
      known_truth({.comparisons = 150, .cases = 4, .samples = 20, .common = 0.01, .own = 0.003});
  EXPECT_GE(rates.ratio_coverage, 0.91);
  EXPECT_GE(rates.median_coverage, 0.93);
  EXPECT_LE(rates.median_coverage, 0.97);
}

}  // namespace
}  // namespace stepmark
