// SPDX-License-Identifier: Apache-2.0
// Where the level of a series of medians changed. Point by point, as runs come: what is found
// depends on the points up to then alone, so that a scan that goes on finds what a scan of all
// finds. Method, sources and simulated rates: docs/history.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace stepmark {

struct ChangeOptions {
  std::size_t window = 60;        // points looked at: the newest of the present level
  std::size_t fewest = 5;         // on either side of a change
  std::size_t fewest_first = 10;  // before the first change of a series
  double least_effect = 0.01;     // relative; smaller changes are none
  double split_p = 0.001;         // of the permutation test
  double means_p = 2e-5;          // of Welch's test of both sides
  int permutations = 999;
  std::uint64_t seed = 1;
  // All of it as text: a scan under other options starts again.
  [[nodiscard]] std::string text() const;
};

struct Change {
  std::size_t at = 0;     // the first point of the new level
  std::size_t found = 0;  // the point that showed it
  double ratio = 1;       // new level / old level
  double split_p = 1, means_p = 1;
};

// Where a scan stands: the level that the last point belongs to.
struct ScanState {
  std::size_t level_points = 0;  // since its first
  bool first_level = true;       // no change has been found yet
};

// Points that a scan which goes on needs before the first new one.
[[nodiscard]] std::size_t points_before(const ChangeOptions& options, const ScanState& state);

// Scans values[from..]; those before are the last points_before() of what was scanned already (all,
// where from is 0). All values are positive and finite. `state` moves to the end. Indices of
// changes are into `values`.
[[nodiscard]] std::vector<Change> find_changes(std::span<const double> values, std::size_t from,
                                               const ChangeOptions& options, ScanState& state);

// Level of `after` over that of `before` with its 95 % interval (Welch, of logarithms, outliers
// pulled in, dependence counted). NaN bounds where a side has fewer than two points.
struct LevelRatio {
  double ratio = 1, lower = 1, upper = 1;
};
[[nodiscard]] LevelRatio level_ratio(std::span<const double> before, std::span<const double> after);

}  // namespace stepmark
