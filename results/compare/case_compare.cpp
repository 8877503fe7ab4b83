// SPDX-License-Identifier: Apache-2.0
// One run measures one state of the machine: placement of ranks and pages, clocks, neighbours.
// Repeating the run gives another median even when each is known to 0.1 %. What a run cannot show
// is assumed, from what it does show:
//   sd^2 = kFloor^2 + drift^2
// kFloor: what quiet dedicated nodes show between runs of one binary. drift: standard deviation of
// the medians of the run's successive blocks beyond what independent samples explain: a run that
// wanders by 3 % in its own minutes will differ by that from the next one. With repetitions of both
// sides ratio_of_medians measures the spread between runs and the assumption is not used.
//
// Two tests around the margin, both with ratio_of_medians: "slower" needs the ratio to be beyond
// the margin significantly (the candidate's times are scaled so that the margin becomes ratio 1);
// "same" needs both one-sided tests that it is not (Schuirmann, J Pharmacokin Biopharm 15, 1987),
// which is an interval at 1 - 2 alpha inside the margin. Neither: undecided.
#include "results/compare/case_compare.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cmath>

namespace stepmark {

namespace {

constexpr double kFloor = 0.006;
constexpr double kNormalSdPerMad = 1.4826;
constexpr double kMedianSdPerMeanSd = 1.2533;  // sqrt(pi/2): sd of a normal sample's median
constexpr std::size_t kBlocks = 8;
constexpr std::size_t kSmallestBlock = 5;
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

double assumed_between_run_sd(const Groups& baseline, const Groups& candidate) {
  return std::sqrt(square(kFloor) + mean_drift_variance(baseline, candidate));
}

CaseStatistics compare_samples(const Groups& baseline, const Groups& candidate,
                               const CompareOptions& options) {
  const double sd = assumed_between_run_sd(baseline, candidate);
  const auto estimate = [&](const Groups& other, double confidence) {
    return ratio_of_medians(baseline, other, confidence, options.replicates, options.seed, sd);
  };
  const double alpha = 1 - options.confidence;
  const double margin = 1 + options.margin;
  CaseStatistics out{.ratio = estimate(candidate, options.confidence), .assumed_sd = sd};
  const bool slower = out.ratio.ratio > 1;
  const auto beyond = estimate(scaled(candidate, slower ? 1 / margin : margin), options.confidence);
  // The two-sided p of "exactly at the margin", halved, on the far side of it.
  if (std::isfinite(beyond.p_value) && (beyond.ratio > 1) == slower) {
    out.p_beyond_margin = beyond.p_value / 2;
  }
  const auto narrow = estimate(candidate, 1 - 2 * alpha).interval;
  out.within_margin = narrow.lower > 1 / margin && narrow.upper < margin;
  out.minimum_detectable = margin * (1 + out.ratio.minimum_detectable) - 1;
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
