// SPDX-License-Identifier: Apache-2.0
// Statistics as pure functions over spans of doubles. Undefined results are NaN, never 0.
// docs/measuring.md gives the method and source of each; tests/unit/core/stats_* check coverage and
// power by simulation with known truth.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace stepmark {

struct Interval {
  double lower;
  double upper;
  [[nodiscard]] double width() const { return upper - lower; }
};

[[nodiscard]] double mean(std::span<const double> x);
[[nodiscard]] double median(std::span<const double> x);
// Quantile by linear interpolation (Hyndman & Fan type 7), p in [0, 1].
[[nodiscard]] double quantile(std::span<const double> x, double p);
[[nodiscard]] double standard_deviation(std::span<const double> x);  // n-1, two-pass
// Median absolute deviation from the median, unscaled.
[[nodiscard]] double median_absolute_deviation(std::span<const double> x);

// Distribution-free interval of the median from order statistics (binomial(n, 1/2)), interpolated
// between neighbouring order statistics (Hettmansperger & Sheather 1986) so that coverage is close
// to nominal and not only at least nominal. Needs n >= 6 for 95 %; else (-inf, +inf).
[[nodiscard]] Interval median_interval(std::span<const double> x, double confidence = 0.95);

// Same, with the sample size replaced by the effective one (samples that depend on each other say
// less than their count): order statistics at ranks spread as for n_eff independent samples.
[[nodiscard]] Interval median_interval_effective(std::span<const double> x, double effective_n,
                                                 double confidence = 0.95);

// Autocorrelation at `lag` (0 for constant series).
[[nodiscard]] double autocorrelation(std::span<const double> x, std::size_t lag);
// n / (1 + 2 sum rho_k), Geyer's initial positive sequence; clamped to [1, n].
[[nodiscard]] double effective_sample_size(std::span<const double> x);

// The same for the median: of the series of signs of x - median(x). What dependence costs a median
// is the dependence of falling on its same side, which outliers do not blur.
[[nodiscard]] double effective_sample_size_of_median(std::span<const double> x);

// Index of the first sample of the steady state: the MSER truncation point (at most half of the
// series), if what lies before it differs significantly from the rest; else 0.
[[nodiscard]] std::size_t steady_state_start(std::span<const double> x);

// Percentile bootstrap of `statistic`, deterministic in `seed`.
[[nodiscard]] Interval bootstrap_interval(
    std::span<const double> x, const std::function<double(std::span<const double>)>& statistic,
    double confidence, std::size_t replicates, std::uint64_t seed);

// A sample tree for comparison: runs -> (blocks ->) samples.
using Groups = std::vector<std::vector<double>>;

struct RatioEstimate {
  double ratio;               // median(b) / median(a): > 1 means b is slower when x is time
  Interval interval;          // at `confidence`
  double p_value;             // two-sided, of ratio == 1
  double minimum_detectable;  // smallest |ratio - 1| this data would detect with 80 % power
};
// Ratio of medians in two levels of chance: the spread of a run's median within the run by a block
// bootstrap (`replicates`, `seed`; blocks keep the dependence of neighbours), the spread between
// runs from the runs themselves. A side of several runs counts as the geometric mean of their
// medians; t-distributed with Welch & Satterthwaite's degrees of freedom. A side with a single run
// tells nothing about the spread between runs: it takes `between_run_sd` (relative, >= 0), or that
// of the other side where larger. NaN p-value and unbounded interval where nothing is known.
[[nodiscard]] RatioEstimate ratio_of_medians(const Groups& a, const Groups& b, double confidence,
                                             std::size_t replicates, std::uint64_t seed,
                                             double between_run_sd = 0.0);

// Holm's step-down adjustment; returns adjusted p-values in the input's order.
[[nodiscard]] std::vector<double> holm_adjust(std::span<const double> p_values);

}  // namespace stepmark
