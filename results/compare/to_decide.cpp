// SPDX-License-Identifier: Apache-2.0
// The spread of one run is cut into what its samples' chance makes of it, which more samples
// reduce, and the rest, which more runs reduce. The fewest runs are sought for which a comparison
// finds the smallest difference that matters, and calls a case without difference the same, each
// with the power wanted. The present ratio is not taken for the true one: power at the estimate is
// a restatement of its p-value (Hoenig & Heisey, Am. Statistician 55, 2001). Only where that many
// runs are there already, and the case is undecided all the same, the truth must lie nearer to the
// margin than what matters, and the estimate says how near.
#include "results/compare/to_decide.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/stats/distributions.h"
#include "results/compare/case_statistics.h"
#include "results/compare/power.h"

namespace stepmark {
namespace {

// Of a run's variance: f times the samples leave at least 1 - s (1 - 1/f) of the runs, each of
// which costs (1 + f) / 2 as much; under s = 2/3 that is more for every f.
constexpr double kLeastSampledShare = 2.0 / 3;

double square(double x) { return x * x; }

// A comparison that could be made.
struct Design {
  double baseline = 0, candidate = 0;  // runs
  double samples_factor = 1;
  bool with_tick = true;
};

FutureError error_of(const RunErrors& now, const Design& design) {
  const double per_run = 1 / design.baseline + 1 / design.candidate;
  // The only case of a comparison has no part of its own.
  double common = square(now.common.sd);
  double own = square(now.own.sd);
  double& holds_samples = own > 0 ? own : common;
  holds_samples -=
      std::min(square(now.sampled_sd), holds_samples) * (1 - 1 / design.samples_factor);
  const double tick = design.with_tick ? square(now.tick_sd) : 0;
  const double today = now.baseline_runs + now.candidate_runs;
  const double then = design.baseline + design.candidate;
  // What a history or the family tells stays; each further run tells one degree more.
  const auto freedom = [&](double known) {
    return std::max(1.0, std::isfinite(known) ? known + then - today : then - 2);
  };
  FutureError out{
      .common = {.sd = std::sqrt(common * per_run), .freedom = freedom(now.common.freedom)},
      .own = {.sd = std::sqrt(own * per_run + tick), .freedom = freedom(now.own.freedom)},
      .known_freedom = sum_of(now.common, now.own).freedom};
  return out;
}

// Standard deviations that a normal error must be away to be found with this power.
double quantile_of(double power) {
  constexpr double kSure = 1e-9;
  return normal_quantile(std::clamp(power, kSure, 1 - kSure));
}

// The power at a number of runs per side.
struct Tried {
  int runs = 0;
  double power = 0;
};

// Runs at which the power is wanted: its quantile is nearly linear in the square root of the runs.
double guess_between(const Tried& low, const Tried& high, double wanted) {
  const double at_low = quantile_of(low.power);
  const double slope =
      (quantile_of(high.power) - at_low) / (std::sqrt(high.runs) - std::sqrt(low.runs));
  return std::ceil(square(std::sqrt(low.runs) + (quantile_of(wanted) - at_low) / slope));
}

struct Search {
  const RunErrors& now;
  DecisionGoal goal;

  [[nodiscard]] double power(int runs, const Design& design) const {
    Design at = design;
    at.baseline = std::max(design.baseline, static_cast<double>(runs));
    at.candidate = std::max(design.candidate, static_cast<double>(runs));
    return power_to_decide(error_of(now, at), goal);
  }
  // Fewest runs per side from `least` on, beside those of `design`; 0: more than kMostPlannedRuns.
  // A power is an integral over two spreads, so guesses come before halves.
  [[nodiscard]] int fewest(int least, const Design& design) const {
    constexpr int kGuesses = 6;
    Tried low{.runs = least, .power = power(least, design)};
    if (low.power >= goal.power) return least;
    Tried high{.runs = kMostPlannedRuns, .power = power(kMostPlannedRuns, design)};
    if (least >= kMostPlannedRuns || high.power < goal.power) return 0;
    for (int i = 0; high.runs - low.runs > 1; ++i) {
      const double guess = guess_between(low, high, goal.power);
      int at = (low.runs + high.runs) / 2;
      if (i < kGuesses && std::isfinite(guess)) {
        at = static_cast<int>(std::clamp<double>(guess, low.runs + 1, high.runs - 1));
      }
      const Tried tried{.runs = at, .power = power(at, design)};
      (tried.power >= goal.power ? high : low) = tried;
    }
    return high.runs;
  }
};

// Of the estimate, where it is the only thing left to aim at.
DecisionGoal goal_of_estimate(DecisionGoal goal, double log_ratio, double margin) {
  const double distance = std::fabs(log_ratio) - margin;
  goal.find_beyond = std::max(0.0, distance);
  goal.same_within = std::max(0.0, -distance);
  return goal;
}

Design today(const RunErrors& now) {
  return {.baseline = now.baseline_runs, .candidate = now.candidate_runs};
}

void set_runs(ToDecide& out, const RunErrors& now, int runs) {
  out.runs = runs;
  out.more_baseline = std::max(0, runs - static_cast<int>(now.baseline_runs));
  out.more_candidate = std::max(0, runs - static_cast<int>(now.candidate_runs));
}

ToDecide spread_first(const RunErrors& now) {
  ToDecide out{.need = Need::spread};
  set_runs(out, now, kFewestRunsOfSpread);
  return out;
}

// Runs anew with more samples where that costs less sampling than more runs: a run costs as much
// beside its samples (start, checks, warm-up) as its samples do today.
ToDecide cheapest(const Search& search, int least, int more_runs) {
  const RunErrors& now = search.now;
  const int further = 2 * more_runs - static_cast<int>(now.baseline_runs + now.candidate_runs);
  double cost = more_runs > 0 ? 2.0 * further : HUGE_VAL;
  ToDecide out{.need = more_runs > 0 ? Need::runs : Need::no_runs};
  if (more_runs > 0) {
    set_runs(out, now, more_runs);
    out.power = search.power(more_runs, today(now));
  }
  const double total = square(now.common.sd) + square(now.own.sd);
  if (more_runs > 0 && square(now.sampled_sd) < kLeastSampledShare * total) return out;
  for (int factor = 2; factor <= kMostSamplesFactor; factor *= 2) {
    if (2.0 * least * (1 + factor) >= cost) break;  // no number of runs is cheaper
    const Design anew{.samples_factor = static_cast<double>(factor)};
    const int runs = search.fewest(least, anew);
    if (runs == 0 || 2.0 * runs * (1 + factor) >= cost) continue;
    cost = 2.0 * runs * (1 + factor);
    out = {.need = Need::samples,
           .runs = runs,
           .more_baseline = runs,
           .more_candidate = runs,
           .samples_factor = factor,
           .power = search.power(runs, anew)};
  }
  return out;
}

std::string why_none(const Search& search, bool near_margin) {
  Design without = today(search.now);
  without.with_tick = false;
  if (search.now.tick_sd > 0 && search.power(kMostPlannedRuns, without) >= search.goal.power) {
    return "the step of its clock is as coarse as what shall be told";
  }
  return near_margin ? fmt::format(
                           "its ratio lies so near to the margin that more than {} runs of "
                           "each side could not tell on which side of it",
                           kMostPlannedRuns)
                     : fmt::format(
                           "its runs differ by so much that more than {} of each side were "
                           "needed",
                           kMostPlannedRuns);
}

}  // namespace

std::string_view name_of(Need need) {
  constexpr std::array<std::string_view, 5> kNames = {"nothing", "spread", "runs", "samples",
                                                      "no runs"};
  return kNames.at(static_cast<std::size_t>(need));
}

double smallest_difference(const CompareOptions& options) {
  return options.smallest.value_or(std::max(kLeastSmallest, 2 * options.margin));
}

ToDecide to_decide(const CaseStatistics& statistics, const CompareOptions& options,
                   std::size_t cases) {
  const RunErrors& now = statistics.run_errors;
  if (statistics.spread == Spread::generous) return spread_first(now);
  const double margin = std::log1p(options.margin);
  Search search{.now = now,
                .goal = {.find_beyond = std::log1p(smallest_difference(options)) - margin,
                         .same_within = margin,
                         .power = options.power,
                         .alpha = 1 - options.confidence,
                         .cases = cases}};
  const int least = std::max(2, static_cast<int>(std::max(now.baseline_runs, now.candidate_runs)));
  // Equal numbers are what is asked for: one run more of the smaller side may be all.
  int runs = search.fewest(least, today(now));
  const bool there =
      runs > 0 && runs <= static_cast<int>(std::min(now.baseline_runs, now.candidate_runs));
  if (there) {
    search.goal = goal_of_estimate(search.goal, std::log(statistics.ratio), margin);
    runs = search.fewest(least + 1, today(now));
  }
  ToDecide out = cheapest(search, 2, runs);
  if (out.need == Need::no_runs) {
    out.why = why_none(search, there);
  } else if (there) {
    out.from_margin = std::fabs(std::fabs(std::log(statistics.ratio)) - margin);
  }
  return out;
}

}  // namespace stepmark
