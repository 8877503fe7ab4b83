// SPDX-License-Identifier: Apache-2.0
// One run measures one state of the machine: placement of ranks and pages, clocks, neighbours.
// Repeating the run gives another median even when each is known to 0.1 %. What a run cannot show
// is assumed, from what it does show:
//   sd^2 = kFloor^2 + drift^2
// kFloor: what quiet dedicated nodes show between runs of one binary. drift: standard deviation of
// the medians of the run's successive blocks beyond what independent samples explain: a run that
// wanders by 3 % in its own minutes will differ by that from the next one. With repetitions the sd
// is measured (pooled over both sides), but never taken as less than the assumption, because two or
// three runs can agree by luck.
#include "results/compare/case_compare.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>

#include <cmath>

namespace stepmark {

namespace {

constexpr double kFloor = 0.006;
constexpr double kNormalSdPerMad = 1.4826;
constexpr double kMedianSdPerMeanSd = 1.2533;  // sqrt(pi/2): sd of a normal sample's median
constexpr std::size_t kBlocks = 8;
constexpr std::size_t kSmallestBlock = 5;
// Degrees of freedom that the assumption is worth beside measured ones.
constexpr double kAssumptionDegrees = 4;

double square(double x) { return x * x; }

double normal_quantile(double p) { return boost::math::quantile(boost::math::normal(), p); }

// Critical value and tail probability: normal when the sd is assumed, Student's when measured.
double critical_value(double p, const BetweenRunSd& between) {
  return between.assumed
             ? normal_quantile(p)
             : boost::math::quantile(
                   boost::math::students_t(between.degrees_of_freedom + kAssumptionDegrees), p);
}

double upper_tail(double z, const BetweenRunSd& between) {
  return between.assumed
             ? boost::math::cdf(boost::math::complement(boost::math::normal(), z))
             : boost::math::cdf(boost::math::complement(
                   boost::math::students_t(between.degrees_of_freedom + kAssumptionDegrees), z));
}

// Variance of log block medians in excess of independent noise.
double drift_variance(std::span<const double> samples) {
  const auto blocks = std::min(kBlocks, samples.size() / kSmallestBlock);
  if (blocks < 2) {
    return 0;
  }
  const auto length = samples.size() / blocks;
  std::vector<double> medians;
  double noise_variance = 0;
  for (std::size_t b = 0; b < blocks; ++b) {
    const auto block = samples.subspan(b * length, length);
    const double middle = median(block);
    medians.push_back(std::log(middle));
    const double sd = kNormalSdPerMad * median_absolute_deviation(block) / middle;
    noise_variance += square(kMedianSdPerMeanSd * sd) / static_cast<double>(length);
  }
  noise_variance /= static_cast<double>(blocks);
  return std::max(0.0, square(standard_deviation(medians)) - noise_variance);
}

double mean_drift_variance(const Groups& baseline, const Groups& candidate) {
  double sum = 0;
  for (const auto* side : {&baseline, &candidate}) {
    for (const auto& run : *side) {
      sum += drift_variance(run);
    }
  }
  return sum / static_cast<double>(baseline.size() + candidate.size());
}

// Sum of squared deviations of log run medians from their side's mean.
double deviation_of_runs(const Groups& side) {
  std::vector<double> medians;
  for (const auto& run : side) {
    medians.push_back(std::log(median(run)));
  }
  const double middle = mean(medians);
  double sum = 0;
  for (const double m : medians) {
    sum += square(m - middle);
  }
  return sum;
}

}  // namespace

BetweenRunSd between_run_sd(const Groups& baseline, const Groups& candidate) {
  const double assumed = square(kFloor) + mean_drift_variance(baseline, candidate);
  const double degrees = static_cast<double>(baseline.size() + candidate.size()) - 2.0;
  if (degrees < 1) {
    return {.sd = std::sqrt(assumed)};
  }
  const double measured = (deviation_of_runs(baseline) + deviation_of_runs(candidate)) / degrees;
  return {.sd = std::sqrt(std::max(assumed, measured)),
          .assumed = false,
          .degrees_of_freedom = degrees};
}

CaseStatistics compare_samples(const Groups& baseline, const Groups& candidate,
                               const CompareOptions& options) {
  CaseStatistics out{.between = between_run_sd(baseline, candidate)};
  const double runs_share =
      1.0 / static_cast<double>(baseline.size()) + 1.0 / static_cast<double>(candidate.size());
  out.ratio =
      ratio_of_medians(baseline, candidate, options.confidence, options.replicates, options.seed);
  const double two_sided = normal_quantile(0.5 + options.confidence / 2);
  const double sampling =
      std::log(out.ratio.interval.upper / out.ratio.interval.lower) / (2 * two_sided);
  out.standard_error = std::sqrt(square(sampling) + square(out.between.sd) * runs_share);

  const double log_ratio = std::log(out.ratio.ratio);
  const double log_margin = std::log1p(options.margin);
  const double alpha = 1 - options.confidence;
  const double one_sided = critical_value(1 - alpha, out.between);
  out.p_beyond_margin =
      upper_tail((std::abs(log_ratio) - log_margin) / out.standard_error, out.between);
  out.within_margin = std::abs(log_ratio) + one_sided * out.standard_error < log_margin;
  const double power = critical_value(0.8, out.between);
  out.minimum_detectable = std::expm1(log_margin + (one_sided + power) * out.standard_error);

  const double half =
      critical_value(0.5 + options.confidence / 2, out.between) * out.standard_error;
  out.ratio.interval = {.lower = std::exp(log_ratio - half), .upper = std::exp(log_ratio + half)};
  return out;
}

std::string why_not_comparable(const Record& a, const Record& b) {
  if (a.provenance != b.provenance) {
    return fmt::format("provenance {} and {}", name_of(a.provenance), name_of(b.provenance));
  }
  for (const auto* record : {&a, &b}) {
    const auto* side = record == &a ? "baseline" : "candidate";
    if (record->outcome != Outcome::ok) {
      return fmt::format("{}: {}: {}", side, name_of(record->outcome), record->reason);
    }
    if (!record->perf_valid) {
      return fmt::format("{}: timing says nothing about performance", side);
    }
    for (const auto& check : record->checks) {
      if (!check.passed) {
        return fmt::format("{}: check failed: {}: {}", side, check.name, check.detail);
      }
    }
  }
  if (a.family != b.family) {
    return fmt::format("family {} and {}", a.family, b.family);
  }
  // Facts that say what was done, as opposed to how fast the machine is.
  constexpr std::array kNumbers = {"size_bytes",
                                   "ranks",
                                   "flops",
                                   "bytes",
                                   "tokens_per_step",
                                   "gpus",
                                   "model_flops_per_step",
                                   "hardware_flops_per_step"};
  constexpr std::array kTexts = {"collective", "dtype",    "op",   "placement",
                                 "shape",      "workload", "plan", "topology"};
  for (const auto* name : kNumbers) {
    if (a.number(name) != b.number(name)) {
      const auto shown = [](const std::optional<double>& value) {
        return value ? fmt::format("{}", *value) : std::string("nothing");
      };
      return fmt::format("{} is {} and {}", name, shown(a.number(name)), shown(b.number(name)));
    }
  }
  for (const auto* name : kTexts) {
    if (a.text(name) != b.text(name)) {
      return fmt::format("{} is '{}' and '{}'", name, a.text(name), b.text(name));
    }
  }
  return {};
}

}  // namespace stepmark
