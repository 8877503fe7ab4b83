// SPDX-License-Identifier: Apache-2.0
// Statistics as pure functions over spans of doubles. Undefined results are NaN, never 0.
// docs/measuring.md gives the method and source of each; tests/unit/core/stats_* check coverage and
// power by simulation with known truth.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
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

// What dependence costs a median: n / effective n, from normal scores of the ranks, corrected for
// the bias of short series (sources: stats/dependence.cpp). >= 1.
struct Dependence {
  double of_median = 1;
  double of_mean = 1;  // of the scores themselves
  double freedom = 1;  // degrees of freedom of a variance that rests on it
};
[[nodiscard]] Dependence dependence_of_median(std::span<const double> x);
// n / dependence_of_median, within [1, n].
[[nodiscard]] double effective_sample_size_of_median(std::span<const double> x);

// Relative rise of the level from the first to the last sample where it is linear and at least
// `significant` of its standard errors (dependence counted); else 0.
[[nodiscard]] double linear_drift(std::span<const double> x, double significant = 4);

// Step of a coarse clock in the samples' unit, told by values that repeat; 0 where none shows.
// Of seconds: steps above 10 ms are no clock's.
[[nodiscard]] double clock_tick(std::span<const double> samples);

// A run's median and what its own samples say of it (stats/median_estimate.cpp).
struct MedianEstimate {
  double median = 0;
  Interval interval{0, 0};  // at `confidence`; infinite with fewer than six samples
  double effective_n = 0;
  double drift = 0;         // linear_drift; widens the interval
  double log_variance = 0;  // of log(median); 0 where unknown or constant
  double freedom = 1;       // degrees of freedom of log_variance
};
[[nodiscard]] MedianEstimate estimate_median(std::span<const double> x, double confidence = 0.95);

// Index of the first sample of the steady state: the MSER truncation point (at most half of the
// series), if what lies before it differs significantly from the rest; else 0.
[[nodiscard]] std::size_t steady_state_start(std::span<const double> x);

// Percentile bootstrap of `statistic`, deterministic in `seed`.
[[nodiscard]] Interval bootstrap_interval(
    std::span<const double> x, const std::function<double(std::span<const double>)>& statistic,
    double confidence, std::size_t replicates, std::uint64_t seed);

// One part of an estimate's error: standard deviation, and how well that is known.
struct ErrorPart {
  double sd = 0;
  double freedom = std::numeric_limits<double>::infinity();
};
[[nodiscard]] ErrorPart sum_of(const ErrorPart& a, const ErrorPart& b);  // Satterthwaite

// The errors of `cases` estimates share `common` and have one of `own` each
// (stats/shared_error.cpp). Probability that the largest exceeds x; the x it exceeds with
// probability p (one-sided).
[[nodiscard]] double largest_error_exceeds(double x, const ErrorPart& common, const ErrorPart& own,
                                           std::size_t cases);
[[nodiscard]] double largest_error_quantile(double p, const ErrorPart& common, const ErrorPart& own,
                                            std::size_t cases);
// Difference that a repetition, which estimates the sd anew, finds with probability `power`, where
// `critical` is what this data would have called significant.
[[nodiscard]] double detectable_difference(double critical, const ErrorPart& error, double power);

// What one run of a side differs by from another (stats/variance_components.cpp).
struct VarianceComponents {
  ErrorPart common;            // of all cases of a run together; freedom 0: nothing tells
  std::vector<ErrorPart> own;  // per case, beside that
};
// sides[s][run][case]: log medians, NaN where missing; a side of one run tells nothing. `family`
// per case; `within` per case: variance of a run's log median from its own samples.
// `most_prior_freedom`: bound of the weight of the family in a case's own variance.
[[nodiscard]] VarianceComponents variance_components(
    std::span<const std::vector<std::vector<double>>> sides, std::span<const std::size_t> family,
    std::span<const double> within, double most_prior_freedom);

// Where the tightest half of the values lies, and the standard deviation that its width stands for
// in a normal sample: up to half of the values may be anywhere.
struct ShortestHalf {
  double middle, sd;
};
[[nodiscard]] ShortestHalf shortest_half(std::span<const double> x);

// Holm's step-down adjustment; returns adjusted p-values in the input's order.
[[nodiscard]] std::vector<double> holm_adjust(std::span<const double> p_values);

}  // namespace stepmark
