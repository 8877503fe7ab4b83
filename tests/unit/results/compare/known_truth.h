// SPDX-License-Identifier: Apache-2.0
// Rates of what a comparison says in worlds whose truth is known: log-normal noise with
// autocorrelation, effects of runs and of nodes. Shared by the short test and the long simulation.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/rng.h"
#include "results/compare/case_statistics.h"
#include "results/compare/node_level.h"

namespace stepmark::made {

struct Truth {
  int comparisons = 200;
  int cases = 6, samples = 40;
  double noise = 0.01, dependence = 0.5;  // of samples: log sd, first autocorrelation
  double common = 0, own = 0;             // log sd of runs: of all their cases, of each
  double node = 0, node_case = 0;         // log sd of nodes, likewise
  int nodes_a = 1, nodes_b = 1;           // that a side's runs are dealt out on
  bool shared_nodes = true;               // b's nodes are a's
  int runs = 4;                           // of each side
  double ratio = 1;                       // of the first case; the others are alike
  CompareOptions options = {};
  bool by_announced = false;  // make the runs that the first comparison asks for, and compare again
  std::uint64_t seed = 1;
};

struct TruthRates {
  double false_verdicts = 0;   // comparisons in which any case is called other than it is
  double ratio_coverage = 0;   // cases whose interval holds the ratio
  double median_coverage = 0;  // runs whose median's interval holds its level
  double found = 0;            // comparisons that find the first case
  double announced = 0;        // comparisons that are decided or have a number that would
  double same = 0;             // of cases without difference
  double mean_runs = 0;        // per side in the end
};

class World {
 public:
  World(const Truth& truth, std::uint64_t index)
      : truth_(truth), index_(index), random_(truth.seed, index) {}

  // A run's samples, by case.
  [[nodiscard]] std::vector<std::vector<double>> run(bool candidate, std::size_t node, int factor,
                                                     TruthRates& rates) {
    const double common = truth_.common * normal();
    std::vector<std::vector<double>> out;
    for (int c = 0; c < truth_.cases; ++c) {
      const double changed = candidate && c == 0 ? std::log(truth_.ratio) : 0;
      const double level = common + truth_.own * normal() + effect(node, c) + changed;
      out.push_back(series(level, truth_.samples * factor));
      const Interval of_median = estimate_median(out.back()).interval;
      const double median = std::exp(level);
      rates.median_coverage += of_median.lower <= median && median <= of_median.upper ? 1 : 0;
      ++medians_;
    }
    return out;
  }
  [[nodiscard]] std::size_t node_of(bool candidate, std::size_t run) const {
    const auto first = static_cast<std::size_t>(candidate ? truth_.nodes_b : truth_.nodes_a);
    const std::size_t others = candidate && !truth_.shared_nodes ? kOfCandidate : 0;
    return others +
           (run < runs_on_first_ ? run % first : first + (run - runs_on_first_) % further_);
  }
  // Runs of a side behind its first `runs` are on so many further nodes.
  void add_nodes(int runs, int further) {
    runs_on_first_ = static_cast<std::size_t>(runs);
    further_ = static_cast<std::size_t>(further);
  }
  [[nodiscard]] double medians() const { return medians_; }

 private:
  double normal() { return random_.normal(next_++); }
  // The same whenever the node is met.
  [[nodiscard]] double effect(std::size_t node, int c) const {
    const Philox nodes(truth_.seed + kOfNodes, 1024 * index_ + node);
    return truth_.node * nodes.normal(0) +
           truth_.node_case * nodes.normal(static_cast<std::uint64_t>(c) + 1);
  }
  std::vector<double> series(double level, int count) {
    std::vector<double> out;
    double state = normal();
    const double innovation = std::sqrt(1 - truth_.dependence * truth_.dependence);
    for (int i = 0; i < count; ++i) {
      out.push_back(std::exp(level + truth_.noise * state));
      state = truth_.dependence * state + innovation * normal();
    }
    return out;
  }

  static constexpr std::uint64_t kOfNodes = 7919;   // streams of their own
  static constexpr std::size_t kOfCandidate = 512;  // nodes
  const Truth& truth_;
  std::uint64_t index_;
  Philox random_;
  std::uint64_t next_ = 0;
  double medians_ = 0;
  std::size_t runs_on_first_ = SIZE_MAX, further_ = 1;
};

struct MeasuredRuns {
  std::vector<CaseSamples> cases;
  std::vector<std::string> nodes_a, nodes_b;
};

// So many runs of each side, of `factor` times the samples.
inline void measure(World& world, const Truth& truth, int runs, int factor, MeasuredRuns& all,
                    TruthRates& rates) {
  all.cases.resize(static_cast<std::size_t>(truth.cases), CaseSamples{.family = "step"});
  for (const bool candidate : {false, true}) {
    auto& names = candidate ? all.nodes_b : all.nodes_a;
    for (int r = 0; r < runs; ++r) {
      const std::size_t node = world.node_of(candidate, names.size());
      names.push_back(std::to_string(node));
      auto samples = world.run(candidate, node, factor, rates);
      for (std::size_t c = 0; c < samples.size(); ++c) {
        auto& side = candidate ? all.cases[c].candidate : all.cases[c].baseline;
        side.push_back(std::move(samples[c]));
      }
    }
  }
}

inline Verdict verdict_of(const CaseStatistics& s, const CompareOptions& options) {
  const double alpha = 1 - options.confidence;
  if (s.p_different < alpha) return s.ratio > 1 ? Verdict::slower : Verdict::faster;
  return s.p_not_same < alpha ? Verdict::same : Verdict::undecided;
}

inline std::vector<CaseStatistics> statistics_of(const MeasuredRuns& all, const Truth& truth) {
  return compare_cases(all.cases, truth.options, node_level(all.nodes_a, all.nodes_b));
}

// What the undecided cases ask for: the most of each.
struct Asked {
  int runs = 0;  // per side, beside those there are
  int anew = 0;  // per side, with `factor` times the samples
  int factor = 1;
  bool first_case_hopeless = false;
};

inline Asked asked_for(const std::vector<CaseStatistics>& statistics,
                       const std::vector<Verdict>& verdicts, const Truth& truth) {
  Asked out;
  for (std::size_t c = 0; c < statistics.size(); ++c) {
    if (verdicts[c] != Verdict::undecided) continue;
    const ToDecide need = to_decide(statistics[c], truth.options, statistics.size());
    if (need.need == Need::no_runs && c == 0) out.first_case_hopeless = true;
    if (need.need == Need::samples) {
      out.anew = std::max(out.anew, need.runs);
      out.factor = std::max(out.factor, need.samples_factor);
    } else {
      out.runs = std::max(out.runs, need.runs);
    }
  }
  return out;
}

inline bool is_false(Verdict verdict, double ratio, double margin) {
  const double beyond = std::fabs(std::log(ratio)) - std::log1p(margin);
  if (verdict == Verdict::same) return beyond > 1e-9;
  if (verdict == Verdict::undecided) return false;
  return beyond <= 0 || (verdict == Verdict::slower) != (ratio > 1);
}

// One comparison, and where that is wanted those behind the runs that it asks for: a spread that is
// not known is asked for first.
inline void one_comparison(const Truth& truth, std::uint64_t index, TruthRates& rates,
                           double& medians) {
  constexpr int kMostLooks = 3;
  World world(truth, index);
  MeasuredRuns all;
  int runs = truth.runs;
  int factor = 1;
  measure(world, truth, runs, factor, all, rates);
  auto statistics = statistics_of(all, truth);
  std::vector<Verdict> verdicts;
  const auto ratio = [&](std::size_t c) { return c == 0 ? truth.ratio : 1.0; };
  for (std::size_t c = 0; c < statistics.size(); ++c) {
    verdicts.push_back(verdict_of(statistics[c], truth.options));
    const Interval& interval = statistics[c].interval;
    const bool holds = interval.lower <= ratio(c) && ratio(c) <= interval.upper;
    rates.ratio_coverage += holds ? 1.0 / truth.cases : 0;
  }
  bool hopeless = false;
  for (int look = 1; truth.by_announced && look < kMostLooks; ++look) {
    const Asked asked = asked_for(statistics, verdicts, truth);
    hopeless = hopeless || asked.first_case_hopeless;
    if (asked.anew > 0) {  // then all of them anew, which is not less than what was asked for
      all = {};
      runs = std::max(asked.anew, asked.runs);
      factor = asked.factor;
      measure(world, truth, runs, factor, all, rates);
    } else if (node_level(all.nodes_a, all.nodes_b).level != Level::runs) {
      // As many runs on each of the further nodes as on those there are.
      const int further = asked.runs - truth.nodes_a;
      if (further <= 0) break;
      world.add_nodes(runs, further);
      measure(world, truth, further * truth.runs / truth.nodes_a, factor, all, rates);
      runs += further * truth.runs / truth.nodes_a;
    } else if (asked.runs > runs) {
      measure(world, truth, asked.runs - runs, factor, all, rates);
      runs = asked.runs;
    } else {
      break;
    }
    statistics = statistics_of(all, truth);
    for (std::size_t c = 0; c < verdicts.size(); ++c) {
      if (verdicts[c] == Verdict::undecided) verdicts[c] = verdict_of(statistics[c], truth.options);
    }
    if (truth.runs > 1) break;  // the number that was announced is to be enough
  }
  bool any_false = false;
  double same = 0;
  for (std::size_t c = 0; c < verdicts.size(); ++c) {
    any_false = any_false || is_false(verdicts[c], ratio(c), truth.options.margin);
    same += ratio(c) == 1 && verdicts[c] == Verdict::same ? 1 : 0;
  }
  const int alike = truth.cases - (truth.ratio == 1 ? 0 : 1);
  rates.false_verdicts += any_false ? 1 : 0;
  rates.found += verdicts.front() == Verdict::slower ? 1 : 0;
  rates.announced += hopeless ? 0 : 1;
  rates.same += alike > 0 ? same / alike : 0;
  rates.mean_runs += runs;
  medians += world.medians();
}

inline TruthRates known_truth(const Truth& truth) {
  TruthRates out;
  double medians = 0;
  for (int i = 0; i < truth.comparisons; ++i) {
    one_comparison(truth, static_cast<std::uint64_t>(i), out, medians);
  }
  for (double* rate : {&out.false_verdicts, &out.ratio_coverage, &out.found, &out.announced,
                       &out.same, &out.mean_runs}) {
    *rate /= truth.comparisons;
  }
  out.median_coverage /= medians;
  return out;
}

}  // namespace stepmark::made
