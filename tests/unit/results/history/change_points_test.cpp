// SPDX-License-Identifier: Apache-2.0
// Changes with known truth: steps, spikes, drifts of nothing, and scans that go on. Rates over many
// series: scripts/reference/history.py.
#include "results/history/change_points.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "synthetic.h"

namespace stepmark {
namespace {

constexpr double kSd = 0.01;

struct Made {
  std::size_t count = 200;
  std::size_t step_at = 0;  // 0: none
  double step = 0;          // in standard deviations
  double spikes = 0;        // share of points
  double sd = kSd;
};

std::vector<double> made(const Made& what, std::uint64_t seed) {
  synthetic::Noise noise(seed);
  std::vector<double> out;
  for (std::size_t i = 0; i < what.count; ++i) {
    double log = what.sd * noise.normal();
    if (what.step_at > 0 && i >= what.step_at) log += what.sd * what.step;
    if (noise.uniform() < what.spikes) log += 0.3 * noise.uniform();
    out.push_back(1e-3 * std::exp(log));
  }
  return out;
}

std::vector<Change> changes(const std::vector<double>& values, const ChangeOptions& options = {}) {
  ScanState state;
  return find_changes(values, 0, options, state);
}

TEST(ChangePoints, StepsOfThreeDeviationsAreFoundWhereTheyAre) {
  int found = 0, extra = 0;
  constexpr int kSeries = 200;
  for (int k = 0; k < kSeries; ++k) {
    const std::size_t at = 15 + static_cast<std::size_t>(k) % 60;
    const double direction = k % 2 == 0 ? 3 : -3;
    bool hit = false;
    for (const Change& one :
         changes(made({.count = at + 30, .step_at = at, .step = direction}, k + 1))) {
      const bool here = one.at + 2 >= at && one.at <= at + 2 && (one.ratio > 1) == (direction > 0);
      extra += here && !hit ? 0 : 1;
      hit = hit || here;
    }
    found += hit ? 1 : 0;
  }
  EXPECT_GE(found, kSeries * 95 / 100);
  EXPECT_LE(extra, kSeries * 5 / 100);
}

TEST(ChangePoints, CleanSeriesAndSpikesHaveNone) {
  std::size_t clean = 0, spiky = 0;
  for (std::uint64_t k = 0; k < 20; ++k) {
    clean += changes(made({.count = 1000}, 100 + k)).size();
    spiky += changes(made({.count = 1000, .spikes = 0.03}, 200 + k)).size();
  }
  EXPECT_LE(clean, 20U);  // 1 of 1000 points
  EXPECT_LE(spiky, 20U);
}

TEST(ChangePoints, OneSpikeIsNoChangeHoweverLarge) {
  for (const std::size_t width : {1U, 2U, 3U, 4U}) {
    std::vector<double> values = made({.count = 60}, 7);
    for (std::size_t i = 30; i < 30 + width; ++i) values[i] *= 5;
    EXPECT_TRUE(changes(values).empty()) << width;
  }
}

TEST(ChangePoints, TheFirstPointsRaiseNoAlarm) {
  for (std::uint64_t k = 0; k < 50; ++k) {
    for (const Change& one : changes(made({.count = 60, .step_at = 3, .step = 50}, 300 + k))) {
      EXPECT_GE(one.at, ChangeOptions{}.fewest_first);
    }
    EXPECT_TRUE(changes(made({.count = 14, .step_at = 7, .step = 20}, 400 + k)).empty());
  }
}

TEST(ChangePoints, SmallChangesAreNone) {
  const std::vector<double> values = made({.step_at = 100, .step = 8, .sd = 0.001}, 5);  // 0.8 %
  EXPECT_TRUE(changes(values).empty());
  EXPECT_EQ(changes(values, {.least_effect = 0.005}).size(), 1U);
}

TEST(ChangePoints, ALevelThatComesBackIsTwoChanges) {
  std::vector<double> values = made({.count = 120}, 9);
  for (std::size_t i = 40; i < 80; ++i) values[i] *= 1.1;
  const std::vector<Change> found = changes(values);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].at, 40U);
  EXPECT_EQ(found[1].at, 80U);
  EXPECT_GT(found[0].ratio, 1);
  EXPECT_LT(found[1].ratio, 1);
}

TEST(ChangePoints, CoarseClocksHaveStepsToo) {
  std::vector<double> values(60, 1e-3);
  EXPECT_TRUE(changes(values).empty());
  values[20] = 1.1e-3;
  EXPECT_TRUE(changes(values).empty());
  std::fill(values.begin() + 30, values.end(), 1.05e-3);
  ASSERT_EQ(changes(values).size(), 1U);
  EXPECT_EQ(changes(values).front().at, 30U);
}

// Night by night the same is found as at once: with a scan that stands anywhere.
TEST(ChangePoints, AScanThatGoesOnFindsTheSame) {
  std::vector<double> values = made({.count = 400, .step_at = 150, .step = 4, .spikes = 0.02}, 11);
  for (std::size_t i = 300; i < 400; ++i) values[i] *= 0.95;
  const std::vector<Change> at_once = changes(values);
  ASSERT_GE(at_once.size(), 2U);
  for (const std::size_t night : {1U, 7U, 64U}) {
    ScanState state;
    std::vector<Change> out;
    for (std::size_t done = 0; done < values.size();) {
      const std::size_t end = std::min(values.size(), done + night);
      const std::size_t before = std::min(done, points_before({}, state));
      const std::size_t first = done - before;
      const std::span<const double> part = std::span(values).subspan(first, end - first);
      for (Change one : find_changes(part, before, {}, state)) {
        one.at += first;
        one.found += first;
        out.push_back(one);
      }
      done = end;
    }
    ASSERT_EQ(out.size(), at_once.size()) << night;
    for (std::size_t i = 0; i < out.size(); ++i) {
      EXPECT_EQ(out[i].at, at_once[i].at);
      EXPECT_EQ(out[i].found, at_once[i].found);
      EXPECT_EQ(out[i].split_p, at_once[i].split_p);
    }
  }
}

TEST(ChangePoints, TheSizeHasAnInterval) {
  const std::vector<double> values = made({.count = 80, .step_at = 40, .step = 10}, 13);
  const LevelRatio ratio = level_ratio(std::span(values).first(40), std::span(values).subspan(40));
  EXPECT_LT(ratio.lower, std::exp(0.1));
  EXPECT_GT(ratio.upper, std::exp(0.1));
  EXPECT_NEAR(ratio.ratio, std::exp(0.1), 0.01);
  EXPECT_TRUE(std::isnan(level_ratio(std::span(values).first(1), std::span(values)).lower));
}

}  // namespace
}  // namespace stepmark
