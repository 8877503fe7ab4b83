// SPDX-License-Identifier: Apache-2.0
// One run measures one state of the machine: placement of ranks and pages, clocks, neighbours.
// Repeating the run gives another median even when each is known to 0.1 %. The error of a case's
// log ratio has a part that all cases of a run share and a part of its own; where either side, or a
// history, has several runs, both are measured (core/stats/variance_components.cpp). Single runs
// cannot tell the shared part however many samples they have: it is stated by the user, or taken
// as kGenerousSpread, which is meant to be too large. Their own part shows in how the family's
// ratios scatter: tightest half, so that less than half of the cases may really have changed.
//
// Verdicts, for all cases together and per direction at alpha/2: the probability that the largest
// of the cases' errors is what this case lies beyond the margin (shared_error.cpp), stepping down
// as Holm does (Scand. J. Statistics 6, 1979). "same": both one-sided tests at alpha that it is not
// beyond the margin (Schuirmann, J Pharmacokin Biopharm 15, 1987), corrected in the same way.
#include "results/compare/case_statistics.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "core/stats/distributions.h"
#include "core/stats/ordered.h"
#include "results/compare/case_side.h"

namespace stepmark {

namespace {

constexpr double kMostPriorFreedom = 60;  // of the family in a case's own variance
constexpr double kStatedFreedom = 6;      // weight of a stated spread beside measured ones
constexpr std::size_t kFewestForScatter = 5;
constexpr double kPower = 0.8;

double square(double x) { return x * x; }

struct Case {
  std::size_t family = 0;
  Side baseline, candidate, history;
  double log_ratio = 0;
  double tick_variance = 0;  // of the log ratio
  double tick_s = 0;
  ErrorPart within;       // of the log ratio, from the samples alone
  ErrorPart common, own;  // of the log ratio
  [[nodiscard]] double per_run() const { return 1 / baseline.runs + 1 / candidate.runs; }
};

void to_units(Case& c, const NodeLevel& level) {
  if (level.level == Level::runs) return;
  fold(c.baseline, level.baseline, level.nodes);
  fold(c.candidate, level.candidate, level.nodes);
  if (level.level == Level::node_pairs) {
    keep_pairs(c.baseline, c.candidate);
  } else if (!c.history.log_medians.empty()) {
    fold(c.history, level.history, level.nodes);
  }
}

Case case_of(const CaseSamples& samples, std::size_t family, const CompareOptions& options,
             const NodeLevel& level) {
  Case out;
  out.family = family;
  Groups sorted, of_history;
  out.baseline = side_of(samples.baseline, options.confidence, sorted);
  out.candidate = side_of(samples.candidate, options.confidence, sorted);
  out.history = side_of(samples.history, options.confidence, of_history);
  to_units(out, level);
  const double a = out.baseline.log_median;
  const double b = out.candidate.log_median;
  out.log_ratio = b - a;
  // A median of a coarse clock's values is off by up to half a step, in every run alike.
  out.tick_s = clock_tick_of_sorted(merged(sorted));
  out.tick_variance = (square(out.tick_s / std::exp(a)) + square(out.tick_s / std::exp(b))) / 12;
  const auto part = [](const Side& side) {
    return ErrorPart{.sd = std::sqrt(side.within / side.runs), .freedom = side.within_freedom};
  };
  out.within =
      sum_of(sum_of(part(out.baseline), part(out.candidate)), {.sd = std::sqrt(out.tick_variance)});
  return out;
}

// `measured`: what several runs show of the shared part, where they do, without the generous one
// that may stand in its place.
RunErrors run_errors(const Case& c, const ErrorPart& measured, const CompareOptions& options) {
  const double per_run = c.per_run();
  const double own = std::max(0.0, square(c.own.sd) - c.tick_variance) / per_run;
  RunErrors out{.common = {.sd = c.common.sd / std::sqrt(per_run), .freedom = c.common.freedom},
                .own = {.sd = std::sqrt(own), .freedom = c.own.freedom},
                .sampled_sd = std::sqrt((c.baseline.sampled + c.candidate.sampled) / 2),
                .tick_sd = std::sqrt(c.tick_variance),
                .baseline_runs = c.baseline.runs,
                .candidate_runs = c.candidate.runs};
  if (measured.freedom > 0 && !options.run_spread) out.common = measured;
  if (options.run_spread && measured.freedom <= 0) {
    out.common.freedom = kStatedFreedom + out.baseline_runs + out.candidate_runs - 2;
    out.own.freedom = std::max(out.own.freedom, kStatedFreedom);
  }
  return out;
}

std::vector<Case> cases_of(std::span<const CaseSamples> samples, const CompareOptions& options,
                           const NodeLevel& level) {
  std::map<std::string, std::size_t> families;
  std::vector<Case> out;
  for (const auto& c : samples) {
    const auto family = families.emplace(c.family, families.size()).first->second;
    out.push_back(case_of(c, family, options, level));
  }
  return out;
}

using Table = std::vector<std::vector<double>>;  // [run][case]

Table table_of(const std::vector<Case>& cases, Side Case::*side) {
  Table out((cases.front().*side).log_medians.size());
  for (const auto& c : cases) {
    for (std::size_t r = 0; r < out.size(); ++r) {
      out[r].push_back((c.*side).log_medians[r]);
    }
  }
  return out;
}

// What differs between the sides on each node, as runs of one side: of two such with the sd of a
// difference over the root of 2 the ratio has the error that the differences' mean has.
Table differences_of_pairs(const std::vector<Case>& cases) {
  Table out = table_of(cases, &Case::candidate);
  for (std::size_t c = 0; c < cases.size(); ++c) {
    for (std::size_t n = 0; n < out.size(); ++n) {
      out[n][c] = (out[n][c] - cases[c].baseline.log_medians[n]) / std::sqrt(2.0);
    }
  }
  return out;
}

// The runs of a history by node: what nodes differ by does not count where each is its own control.
void add_by_node(const Table& history, const NodeLevel& level, std::vector<Table>& sides) {
  std::map<std::size_t, Table> by_node;
  for (std::size_t r = 0; r < history.size(); ++r) by_node[level.history[r]].push_back(history[r]);
  for (auto& [node, table] : by_node) sides.push_back(std::move(table));
}

VarianceComponents components_of(const std::vector<Case>& cases, const NodeLevel& level) {
  std::vector<Table> sides;
  if (level.level == Level::node_pairs) {
    sides.push_back(differences_of_pairs(cases));
    add_by_node(table_of(cases, &Case::history), level, sides);
  } else {
    for (const auto side : {&Case::baseline, &Case::candidate, &Case::history}) {
      sides.push_back(table_of(cases, side));
    }
  }
  std::vector<std::size_t> family;
  std::vector<double> within;
  for (const auto& c : cases) {
    family.push_back(c.family);
    within.push_back((c.baseline.within + c.candidate.within) / 2);
  }
  return variance_components(sides, family, within, kMostPriorFreedom);
}

// Two-sided critical value times the sd.
double reach(const ErrorPart& part, double confidence) {
  const double p = (1 + confidence) / 2;
  return part.sd * (part.freedom > 1e4 ? normal_quantile(p) : student_quantile(part.freedom, p));
}

// The shared part of one run. Measured by few runs it may allow for more than the generous spread
// does: unless they spread by more than that, a second run must not say less than one.
ErrorPart common_part(const ErrorPart& measured, const CompareOptions& options, Spread& spread) {
  if (options.run_spread) {
    const double stated = *options.run_spread;
    if (measured.freedom <= 0) {
      spread = Spread::stated;
      return {.sd = stated};
    }
    spread = Spread::measured;
    const double freedom = kStatedFreedom + measured.freedom;
    return {
        .sd = std::sqrt((kStatedFreedom * square(stated) + measured.freedom * square(measured.sd)) /
                        freedom),
        .freedom = freedom};
  }
  const ErrorPart generous{.sd = kGenerousSpread};
  spread = measured.freedom <= 0 ? Spread::generous : Spread::measured;
  if (measured.freedom <= 0 ||
      (measured.sd <= generous.sd &&
       reach(measured, options.confidence) > reach(generous, options.confidence))) {
    return generous;
  }
  return measured;
}

// Variance by which the family's ratios scatter beyond their samples' own chance.
double scatter_variance(const std::vector<Case>& cases, std::size_t family) {
  const auto scatter = [&](auto belongs) -> std::pair<std::size_t, double> {
    std::vector<double> ratios;
    std::vector<double> within;
    for (const auto& c : cases) {
      if (belongs(c)) {
        ratios.push_back(c.log_ratio);
        within.push_back(square(c.within.sd));
      }
    }
    if (ratios.size() < kFewestForScatter) {
      return {ratios.size(), 0};
    }
    return {ratios.size(), std::max(0.0, square(shortest_half(ratios).sd) - median(within))};
  };
  const auto [count, own] = scatter([&](const Case& c) { return c.family == family; });
  return count >= kFewestForScatter ? own : scatter([](const Case&) { return true; }).second;
}

void set_measured_errors(std::vector<Case>& cases, const VarianceComponents& components,
                         const ErrorPart& common) {
  for (std::size_t i = 0; i < cases.size(); ++i) {
    auto& c = cases[i];
    const double factor = std::sqrt(c.per_run());
    c.common = {.sd = common.sd * factor, .freedom = common.freedom};
    c.own = sum_of({.sd = components.own[i].sd * factor, .freedom = components.own[i].freedom},
                   {.sd = std::sqrt(c.tick_variance)});
  }
}

void set_single_run_errors(std::vector<Case>& cases, const ErrorPart& common) {
  std::map<std::size_t, double> scatter;
  std::map<std::size_t, std::size_t> members;
  for (const auto& c : cases) {
    ++members[c.family];
    if (!scatter.contains(c.family)) {
      scatter[c.family] = scatter_variance(cases, c.family);
    }
  }
  for (auto& c : cases) {
    // The spread that is stated is the whole: what shows as scatter is not counted twice.
    const double shown = scatter[c.family];
    const auto count = members[c.family] < kFewestForScatter ? cases.size() : members[c.family];
    // The width of the tightest half tells a spread about 0.37 times as well as all values would.
    const double freedom = std::max(1.0, 0.37 * static_cast<double>(count - 1));
    c.own = sum_of(c.within, {.sd = std::sqrt(shown), .freedom = freedom});
    c.common = {.sd = std::sqrt(std::max(0.0, square(common.sd) * c.per_run() - shown))};
  }
}

// p adjusted for all cases: excess[i] beyond the threshold, stepping down.
std::vector<double> stepped_down(const std::vector<Case>& cases,
                                 const std::vector<double>& excess) {
  std::vector<std::size_t> order(cases.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::vector<double> alone;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    alone.push_back(largest_error_exceeds(excess[i], cases[i].common, cases[i].own, 1));
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return alone[a] < alone[b]; });
  std::vector<double> out(cases.size());
  double floor = 0;  // adjusted values never decrease
  for (std::size_t step = 0; step < order.size(); ++step) {
    const auto i = order[step];
    if (floor < 1 && excess[i] > 0) {
      const auto left = order.size() - step;
      floor =
          std::max(floor, largest_error_exceeds(excess[i], cases[i].common, cases[i].own, left));
    } else {
      floor = 1;
    }
    out[i] = std::min(1.0, floor);
  }
  return out;
}

template <typename Excess>
std::vector<double> adjusted(const std::vector<Case>& cases, Excess excess) {
  std::vector<double> of_cases;
  for (const auto& c : cases) {
    of_cases.push_back(excess(c.log_ratio));
  }
  return stepped_down(cases, of_cases);
}

Interval ratio_interval(double log_ratio, double reach) {
  return {std::exp(log_ratio - reach), std::exp(log_ratio + reach)};
}

}  // namespace

std::vector<CaseStatistics> compare_cases(std::span<const CaseSamples> samples,
                                          const CompareOptions& options, const NodeLevel& level) {
  if (samples.empty()) {
    return {};
  }
  auto cases = cases_of(samples, options, level);
  const auto components = components_of(cases, level);
  Spread spread = Spread::measured;
  const auto common = common_part(components.common, options, spread);
  if (components.common.freedom > 0) {
    set_measured_errors(cases, components, common);
  } else {
    set_single_run_errors(cases, common);
  }
  const double alpha = 1 - options.confidence;
  const double margin = std::log1p(options.margin);
  const auto slower = adjusted(cases, [&](double r) { return r - margin; });
  const auto faster = adjusted(cases, [&](double r) { return -r - margin; });
  const auto not_above = adjusted(cases, [&](double r) { return margin - r; });
  const auto not_below = adjusted(cases, [&](double r) { return margin + r; });
  std::vector<CaseStatistics> out;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const auto& c = cases[i];
    const double critical =
        margin + largest_error_quantile(alpha / 2, c.common, c.own, cases.size());
    const double per_run = std::sqrt(c.per_run());
    out.push_back(
        {.ratio = std::exp(c.log_ratio),
         .interval =
             ratio_interval(c.log_ratio, largest_error_quantile(alpha / 2, c.common, c.own, 1)),
         .within_run = ratio_interval(c.log_ratio, reach(c.within, options.confidence)),
         .p_different = std::min(1.0, 2 * (c.log_ratio > 0 ? slower[i] : faster[i])),
         .p_not_same = std::max(not_above[i], not_below[i]),
         .minimum_detectable = std::expm1(
             margin + detectable_difference(critical - margin, sum_of(c.common, c.own), kPower)),
         .spread = spread,
         .common_sd = c.common.sd / per_run,
         .own_sd = c.own.sd / per_run,
         .drift_baseline = c.baseline.drift,
         .drift_candidate = c.candidate.drift,
         .tick_s = c.tick_s,
         .run_errors = run_errors(c, components.common, options)});
  }
  return out;
}

}  // namespace stepmark
