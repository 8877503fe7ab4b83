// SPDX-License-Identifier: Apache-2.0
// What runs of one thing differ by, from the runs of several cases: an effect that all cases of a
// run share (clocks, placement, neighbours), and what is left to each case.
//   - The shared effect of a run is the median over cases of what the case lies above its own mean
//     over the side's runs; its variance has as many degrees of freedom as the runs give.
//   - What is left has a variance per case, known by the same few degrees of freedom, and is drawn
//     towards what cases of the family are expected to have (Smyth, Stat. Appl. Genetics 3, 2004:
//     moderated variances). Expected is the case's own sampling variance plus one between-run
//     variance of the family. The weight of the expectation is bounded, and falls where the
//     family's variances differ by more than their degrees of freedom explain (moments of the F
//     distribution): cases that are noisier than their family must not be told by it.
// The sides are taken to vary alike.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "core/stats.h"

namespace stepmark {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr std::size_t kFewestForMedian = 5;
constexpr std::size_t kFewestOfFamily = 3;

using Table = std::vector<std::vector<double>>;  // [run][case]

double finite_mean(std::span<const double> x) {
  double sum = 0;
  double count = 0;
  for (const double value : x) {
    if (std::isnan(value)) continue;
    sum += value;
    ++count;
  }
  return count > 0 ? sum / count : std::numeric_limits<double>::quiet_NaN();
}

// Values less the mean of their case over the runs of the side; a case with one run is NaN.
Table centred(const Table& side) {
  Table out = side;
  const std::size_t cases = side.empty() ? 0 : side.front().size();
  for (std::size_t c = 0; c < cases; ++c) {
    std::vector<double> column;
    for (const auto& run : side) column.push_back(run[c]);
    const auto known =
        std::count_if(column.begin(), column.end(), [](double x) { return !std::isnan(x); });
    const double level = known < 2 ? std::numeric_limits<double>::quiet_NaN() : finite_mean(column);
    for (auto& run : out) run[c] -= level;
  }
  return out;
}

double shared_effect(const std::vector<double>& run) {
  std::vector<double> known;
  std::copy_if(run.begin(), run.end(), std::back_inserter(known),
               [](double x) { return !std::isnan(x); });
  if (known.empty()) return std::numeric_limits<double>::quiet_NaN();
  return known.size() < kFewestForMedian ? mean(known) : median(known);
}

struct Sums {
  double shared = 0, shared_freedom = 0;
  std::vector<double> own, freedom;  // per case: sum of squares, degrees of freedom
};

void add_side(const Table& side, Sums& sums) {
  const Table rests = centred(side);
  double known_runs = 0;
  std::vector<double> counts(sums.own.size());
  for (const auto& run : rests) {
    const double shared = shared_effect(run);
    if (std::isnan(shared)) continue;
    ++known_runs;
    sums.shared += shared * shared;
    for (std::size_t c = 0; c < run.size(); ++c) {
      if (std::isnan(run[c])) continue;
      sums.own[c] += (run[c] - shared) * (run[c] - shared);
      ++counts[c];
    }
  }
  sums.shared_freedom += std::max(0.0, known_runs - 1);
  for (std::size_t c = 0; c < counts.size(); ++c) sums.freedom[c] += std::max(0.0, counts[c] - 1);
}

// Weight of the family, in degrees of freedom, from how far relative variances q lie apart.
double prior_freedom(std::span<const double> q, double freedom, double most) {
  const auto n = static_cast<double>(q.size());
  const double bound = std::min(most, freedom * (n - 1));
  const double level = mean(q);
  const double excess = standard_deviation(q) * standard_deviation(q) / (level * level) * freedom;
  // More than the F distribution of two samples of the same variance explains, with its own error.
  if (!(excess > 2)) return bound;
  return std::min(bound, (4 * excess + 2 * freedom - 4) / (excess - 2));
}

void moderate(const std::vector<std::size_t>& members, const Sums& sums,
              std::span<const double> within, double correction, double most,
              std::vector<ErrorPart>& own) {
  std::vector<double> between;
  std::vector<std::size_t> known;
  for (const std::size_t c : members) {
    if (sums.freedom[c] <= 0) continue;
    known.push_back(c);
    between.push_back(sums.own[c] / sums.freedom[c] * correction - within[c]);
  }
  if (known.empty()) return;
  const double family = std::max(0.0, mean(between));
  std::vector<double> q;
  double freedom = 0;
  for (const std::size_t c : known) {
    const double expected = family + within[c];
    const double found = sums.own[c] / sums.freedom[c] * correction;
    q.push_back(expected > 0 ? found / expected : 1);
    freedom += sums.freedom[c] / static_cast<double>(known.size());
  }
  const double level = std::max(mean(q), 1e-12);
  const double weight = known.size() < 2 ? 0 : prior_freedom(q, freedom, most);
  for (const std::size_t c : members) {
    const double expected = level * (family + within[c]);
    const double variance =
        (weight * expected + sums.own[c] * correction) / std::max(weight + sums.freedom[c], 1.0);
    own[c] = {.sd = std::sqrt(variance), .freedom = std::max(1.0, weight + sums.freedom[c])};
  }
}

}  // namespace

VarianceComponents variance_components(std::span<const Table> sides,
                                       std::span<const std::size_t> family,
                                       std::span<const double> within, double most_prior_freedom) {
  const std::size_t cases = family.size();
  Sums sums{.own = std::vector<double>(cases), .freedom = std::vector<double>(cases)};
  for (const Table& side : sides) {
    if (side.size() > 1) add_side(side, sums);
  }
  VarianceComponents out{.common = {.sd = 0, .freedom = sums.shared_freedom},
                         .own = std::vector<ErrorPart>(cases, ErrorPart{.sd = 0, .freedom = kInf})};
  if (sums.shared_freedom <= 0) return out;
  out.common.sd = std::sqrt(sums.shared / sums.shared_freedom);
  if (cases < 2) return out;
  const double correction = static_cast<double>(cases) / static_cast<double>(cases - 1);
  std::map<std::size_t, std::vector<std::size_t>> members;
  for (std::size_t c = 0; c < cases; ++c) members[family[c]].push_back(c);
  // Families too small to tell share one.
  std::vector<std::size_t> rest;
  for (const auto& [name, of_family] : members) {
    if (of_family.size() < kFewestOfFamily) {
      rest.insert(rest.end(), of_family.begin(), of_family.end());
    } else {
      moderate(of_family, sums, within, correction, most_prior_freedom, out.own);
    }
  }
  moderate(rest, sums, within, correction, most_prior_freedom, out.own);
  return out;
}

ShortestHalf shortest_half(std::span<const double> x) {
  ShortestHalf out{.middle = median(x), .sd = 0};
  if (x.size() < 3) return out;
  std::vector<double> sorted(x.begin(), x.end());
  std::sort(sorted.begin(), sorted.end());
  const std::size_t length = sorted.size() / 2 + 1;
  double least = kInf;
  for (std::size_t i = 0; i + length <= sorted.size(); ++i) {
    const double width = sorted[i + length - 1] - sorted[i];
    if (width < least) {
      least = width;
      out.middle = (sorted[i] + sorted[i + length - 1]) / 2;
    }
  }
  // Half of a normal sample lies within 0.6745 standard deviations; a small sample's shortest half
  // is shorter (Rousseeuw & Leroy, Robust Regression and Outlier Detection, 1987).
  constexpr double kHalf = 0.6745;
  const double small_sample = 1 + 5 / static_cast<double>(sorted.size() - 1);
  out.sd = least / 2 / kHalf * small_sample;
  return out;
}

}  // namespace stepmark
