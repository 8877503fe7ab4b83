// SPDX-License-Identifier: Apache-2.0
// One run measures one state of the machine: placement of ranks and pages, clocks, neighbours.
// Repeating the run gives another median even when each is known to 0.1 %. What a run cannot show
// is assumed, from what it does show:
//   sd^2 = kFloor^2 + drift^2 + scatter^2
// kFloor: what quiet dedicated nodes show between runs of one binary.
// drift: standard deviation of the medians of the run's successive blocks beyond what independent
// samples explain: a run that wanders by 3 % in its own seconds will differ by that from the next.
// scatter: the cases of a comparison are each other's controls. Where the ratios of a family lie
// apart by 20 % although each is known to 1 %, one of them says little (a machine shared with
// others, ranks that take turns on a core); where all agree, the common ratio stands. Robust:
// a seventh of the cases may really have changed by themselves. Few cases tell their scatter badly,
// so that it is widened by Student's factor. With repetitions of both sides ratio_of_medians
// measures the spread between runs and the assumption is not used.
//
// Two tests around the margin, both with ratio_of_medians: "slower" needs the ratio to be beyond
// the margin significantly (the candidate's times are scaled so that the margin becomes ratio 1);
// "same" needs both one-sided tests that it is not (Schuirmann, J Pharmacokin Biopharm 15, 1987),
// which is an interval at 1 - 2 alpha inside the margin. Neither: undecided.
#include "results/compare/case_compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

#include "core/number_text.h"

namespace stepmark {

namespace {

constexpr double kFloor = 0.006;
constexpr double kNormalSdPerMad = 1.4826;
constexpr double kMedianSdPerMeanSd = 1.2533;  // sqrt(pi/2): sd of a normal sample's median
constexpr std::size_t kBlocks = 8;
constexpr std::size_t kSmallestBlock = 5;
constexpr std::size_t kFewestForScatter = 3;
constexpr double kScatterQuantile = 0.85;

double square(double x) { return x * x; }

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

// Of the ratio's logarithm from the samples alone.
double sampling_variance(const CaseSamples& c, const CompareOptions& options) {
  const auto interval = ratio_of_medians(c.baseline, c.candidate, options.confidence,
                                         options.replicates, options.seed)
                            .interval;
  const double critical =
      boost::math::quantile(boost::math::normal(), 0.5 + options.confidence / 2);
  return square(std::log(interval.upper / interval.lower) / (2 * critical));
}

double log_ratio(const CaseSamples& c) {
  const auto middle = [](const Groups& side) {
    std::vector<double> logs;
    for (const auto& run : side) {
      logs.push_back(std::log(median(run)));
    }
    return mean(logs);
  };
  return middle(c.candidate) - middle(c.baseline);
}

// Variance of one run of a case from the scatter of the ratios.
double scatter_variance(std::span<const double> log_ratios, std::span<const double> sampling,
                        double tail) {
  if (log_ratios.size() < kFewestForScatter) {
    return 0;
  }
  const double middle = median(log_ratios);
  std::vector<double> distances;
  for (const double r : log_ratios) {
    distances.push_back(std::abs(r - middle));
  }
  const auto degrees = static_cast<double>(log_ratios.size() - 1);
  const double widening = boost::math::quantile(boost::math::students_t(degrees), tail) /
                          boost::math::quantile(boost::math::normal(), tail);
  const double sd = quantile(distances, kScatterQuantile) /
                    boost::math::quantile(boost::math::normal(), (1 + kScatterQuantile) / 2);
  return std::max(0.0, square(sd * widening) - median(sampling)) / 2;  // two runs in a ratio
}

// Every time multiplied: shifts the log ratio and leaves its error alone.
Groups scaled(const Groups& side, double factor) {
  Groups out = side;
  for (auto& run : out) {
    for (double& value : run) {
      value *= factor;
    }
  }
  return out;
}

}  // namespace

std::vector<double> assumed_between_run_sd(std::span<const CaseSamples> cases,
                                           const CompareOptions& options) {
  std::vector<double> ratios;
  std::vector<double> sampling;
  for (const auto& c : cases) {
    ratios.push_back(log_ratio(c));
    sampling.push_back(sampling_variance(c, options));
  }
  // Where Holm's correction decides.
  const double tail =
      1 - (1 - options.confidence) / static_cast<double>(std::max<std::size_t>(1, cases.size()));
  // A family too small to tell borrows the scatter of all cases.
  const double all = scatter_variance(ratios, sampling, tail);
  std::vector<double> out;
  for (const auto& c : cases) {
    std::vector<double> own_ratios;
    std::vector<double> own_sampling;
    for (std::size_t i = 0; i < cases.size(); ++i) {
      if (cases[i].family == c.family) {
        own_ratios.push_back(ratios[i]);
        own_sampling.push_back(sampling[i]);
      }
    }
    const double scatter = own_ratios.size() < kFewestForScatter
                               ? all
                               : scatter_variance(own_ratios, own_sampling, tail);
    out.push_back(
        std::sqrt(square(kFloor) + mean_drift_variance(c.baseline, c.candidate) + scatter));
  }
  return out;
}

CaseStatistics compare_samples(const CaseSamples& samples, double assumed_sd, std::size_t cases,
                               const CompareOptions& options) {
  const auto& candidate = samples.candidate;
  const auto estimate = [&](const Groups& other, double confidence) {
    return ratio_of_medians(samples.baseline, other, confidence, options.replicates, options.seed,
                            assumed_sd);
  };
  const double alpha = 1 - options.confidence;
  const double margin = 1 + options.margin;
  CaseStatistics out{.ratio = estimate(candidate, options.confidence), .assumed_sd = assumed_sd};
  const bool slower = out.ratio.ratio > 1;
  // At the confidence of Holm's first step, for the detectable difference; p does not depend on it.
  const auto beyond = estimate(scaled(candidate, slower ? 1 / margin : margin),
                               1 - 2 * alpha / static_cast<double>(cases));
  // The two-sided p of "exactly at the margin", halved, on the far side of it.
  if (std::isfinite(beyond.p_value) && (beyond.ratio > 1) == slower) {
    out.p_beyond_margin = beyond.p_value / 2;
  }
  const auto narrow = estimate(candidate, 1 - 2 * alpha).interval;
  out.within_margin = narrow.lower > 1 / margin && narrow.upper < margin;
  out.minimum_detectable = margin * (1 + beyond.minimum_detectable) - 1;
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
      return fmt::format("{}: {}", side, not_performance(*record));
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
                                   "hardware_flops_per_step",
                                   "tp_size_bytes",
                                   "dp_size_bytes",
                                   "tp_calls",
                                   "dp_calls",
                                   "gemm_calls",
                                   "comm_calls",
                                   "occupy_s"};
  constexpr std::array kTexts = {"collective", "dtype",    "op",   "placement",
                                 "shape",      "workload", "plan", "axes",
                                 "priority",   "gemm",     "mode", "topology"};
  for (const auto* name : kNumbers) {
    const bool both_undefined =
        std::isnan(a.number(name).value_or(0)) && std::isnan(b.number(name).value_or(0));
    if (!both_undefined && a.number(name) != b.number(name)) {
      const auto shown = [](const std::optional<double>& value) {
        return value ? number_text("{}", *value) : std::string("nothing");
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
