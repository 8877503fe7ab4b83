// SPDX-License-Identifier: Apache-2.0
// Ratio of two medians whose data come in runs of samples, on the log scale. Two levels of chance:
// within a run (block bootstrap of its median) and between runs (spread of the runs' medians, which
// contains the first). A side's variance is that of the mean of its runs' log medians; the sides
// are put together with Welch & Satterthwaite's degrees of freedom (Welch, Biometrika 34, 1947),
// since with a handful of runs the spread between them is itself uncertain. Resampling the few runs
// themselves would ignore that: three runs a side then give a false alarm far more often than one
// time in twenty.
#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/stats.h"
#include "core/stats/block_bootstrap.h"

namespace stepmark {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kPower = 0.8;

struct Side {
  double log_median = kNaN;  // mean over runs
  double runs = 0;
  double within = 0;          // mean variance of a run's log median from its own samples
  double within_freedom = 0;  // degrees of freedom of that, all runs together
  double spread = kNaN;       // variance of the runs' log medians; NaN for one run
  [[nodiscard]] double between() const { return std::max(0.0, spread - within); }
};

Side summarize(const std::vector<std::vector<double>>& runs, std::size_t replicates,
               std::uint64_t seed, std::uint64_t first_stream) {
  std::vector<double> log_medians;
  std::vector<double> variances;
  Side side;
  for (const std::vector<double>& run : runs) {
    if (run.empty()) continue;
    log_medians.push_back(std::log(median(run)));
    variances.push_back(
        log_median_variance(run, replicates, seed, first_stream + log_medians.size()));
    side.within_freedom += effective_sample_size_of_median(run) - 1;
  }
  side.runs = static_cast<double>(log_medians.size());
  side.log_median = mean(log_medians);
  side.within = mean(variances);
  const double deviation = standard_deviation(log_medians);
  side.spread = deviation * deviation;
  return side;
}

// A variance and how well it is known.
struct Variance {
  double value = 0;
  double freedom = kInf;
};

// Of the side's log median; for a single run without the spread between runs.
Variance own_variance(const Side& side) {
  if (side.runs < 2) return {.value = side.within, .freedom = side.within_freedom};
  return {.value = std::max(side.spread, side.within) / side.runs, .freedom = side.runs - 1};
}

// The parts of the variance of the difference. A single run borrows the spread between runs from
// the other side, where that has several and is larger than the assumption: what is borrowed errs
// together with the lender's own part, hence is one part with it.
std::vector<Variance> parts_of(const Side& a, const Side& b, double assumed) {
  std::vector<Variance> parts{own_variance(a), own_variance(b)};
  const auto add_between = [&](const Side& single, const Side& other, Variance& of_other) {
    if (single.runs >= 2) return;
    if (other.runs >= 2 && other.between() > assumed) {
      of_other.value += other.between();
    } else {
      parts.push_back({.value = assumed, .freedom = kInf});
    }
  };
  parts.reserve(4);
  add_between(a, b, parts[1]);
  add_between(b, a, parts[0]);
  return parts;
}

Variance total_of(const std::vector<Variance>& parts) {
  Variance total{.value = 0, .freedom = kInf};
  double squares = 0;
  for (const Variance& part : parts) {
    total.value += part.value;
    squares += part.value * part.value / part.freedom;
  }
  if (squares > 0) total.freedom = std::max(1.0, total.value * total.value / squares);
  return total;
}

// Nothing is known of the error: one run of one sample, or no samples at all.
RatioEstimate undefined(double ratio) {
  return {.ratio = ratio, .interval = {0, kInf}, .p_value = kNaN, .minimum_detectable = kNaN};
}

}  // namespace

RatioEstimate ratio_of_medians(const Groups& a, const Groups& b, double confidence,
                               std::size_t replicates, std::uint64_t seed, double between_run_sd) {
  const Side side_a = summarize(a, replicates, seed, 0);
  const Side side_b = summarize(b, replicates, seed, std::uint64_t{1} << 32);
  const double log_ratio = side_b.log_median - side_a.log_median;
  if (!std::isfinite(log_ratio)) return undefined(kNaN);
  for (const Side& side : {side_a, side_b}) {
    if (side.runs < 2 && side.within_freedom < 1) return undefined(std::exp(log_ratio));
  }

  const double assumed = between_run_sd * between_run_sd;  // relative = of the logarithm
  const Variance total = total_of(parts_of(side_a, side_b, assumed));
  const double error = std::sqrt(total.value);

  const boost::math::students_t_distribution<double> chance(std::min(total.freedom, 1e9));
  const double critical = boost::math::quantile(chance, (1 + confidence) / 2);
  const double deviate = log_ratio == 0 ? 0 : std::fabs(log_ratio) / error;
  const double p_value =
      std::isinf(deviate) ? 0 : 2 * boost::math::cdf(boost::math::complement(chance, deviate));
  const double detectable = (critical + boost::math::quantile(chance, kPower)) * error;
  return {
      .ratio = std::exp(log_ratio),
      .interval = {std::exp(log_ratio - critical * error), std::exp(log_ratio + critical * error)},
      .p_value = p_value,
      .minimum_detectable = std::expm1(detectable)};
}

}  // namespace stepmark
