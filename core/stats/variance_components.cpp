// SPDX-License-Identifier: Apache-2.0
// What runs of one thing differ by, from the runs of several cases: an effect that all cases of a
// run share (clocks, placement, neighbours), and what is left to each case.
//   - The shared effect of a run is the median over cases of what the case lies above its own mean
//     over the side's runs; its variance has as many degrees of freedom as the runs give.
//   - What is left has a variance per case, known by the same few degrees of freedom, and is drawn
//     towards what cases of the family are expected to have (Smyth, Stat. Appl. Genetics 3, 2004:
//     moderated variances). Expected is the case's own sampling variance plus one between-run
//     variance of the family. The weight of the expectation is bounded, and falls where the
//     family's variances differ by more than their degrees of freedom explain: cases that are
//     noisier than their family must not be told by it.
// The sides are taken to vary alike.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numbers>

#include "core/stats.h"
#include "core/stats/distributions.h"

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

// x > 0 with trigamma(x) = y; infinite for y <= 0. Newton on 1/trigamma, which is nearly linear
// (Smyth 2004, appendix).
double inverse_trigamma(double y) {
  constexpr double kLargest = 1e6;
  if (!(y > 1 / kLargest)) return kInf;
  double x = 0.5 + 1 / y;
  for (int i = 0; i < 50; ++i) {
    const double found = polygamma(1, x);
    const double step = found * (1 - found / y) / polygamma(2, x);
    x += step;
    if (-step / x < 1e-8) break;
  }
  return x;
}

double shared_effect(const std::vector<double>& run) {
  std::vector<double> known;
  std::copy_if(run.begin(), run.end(), std::back_inserter(known),
               [](double x) { return !std::isnan(x); });
  if (known.empty()) return std::numeric_limits<double>::quiet_NaN();
  return known.size() < kFewestForMedian ? mean(known) : median(known);
}

// Variance that the median of the cases' own parts has by itself, which is no shared effect: pi/2
// of a mean's. 0 for too few cases, where the difference would be as uncertain as its parts.
double median_error(std::span<const ErrorPart> own) {
  if (own.size() < kFewestForMedian) return 0;
  double sum = 0;
  for (const ErrorPart& part : own) sum += part.sd * part.sd;
  const auto n = static_cast<double>(own.size());
  return std::numbers::pi / 2 * sum / n / n;
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

// Weight of the family, in degrees of freedom, from how far the logarithms of relative variances q
// lie apart beyond what variances of `freedom` degrees do anyway (Smyth 2004, section 6.2). The
// logarithm, not the variance itself, is looked at: a few noisy cases among many do not hide in it.
// It is taken higher than found, by half a standard error where cases have two degrees of freedom
// and less the more they tell themselves: a family taken for more alike than it is costs false
// alarms and the contrary only power.
double prior_freedom(std::span<const double> q, double freedom, double most) {
  constexpr double kLeastTail =
      1e-3;  // smaller variances, of a coarse clock, count as this quantile
  const auto n = static_cast<double>(q.size());
  const double bound = std::min(most, freedom * (n - 1));
  const double least = chi_squared_quantile(freedom, kLeastTail) / freedom;
  std::vector<double> logs;
  for (const double value : q) logs.push_back(std::log(std::max(value, least)));
  const double by_chance = polygamma(1, freedom / 2);
  const double error = std::sqrt((polygamma(3, freedom / 2) + 2 * by_chance * by_chance) / n);
  const double spread = standard_deviation(logs);
  const double excess = spread * spread + error / freedom - by_chance;
  return std::min(bound, 2 * inverse_trigamma(excess));
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
  out.common.sd = std::sqrt(std::max(0.0, out.common.sd * out.common.sd - median_error(out.own)));
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
