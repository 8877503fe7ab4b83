// SPDX-License-Identifier: Apache-2.0
// Gathers the samples of all cases of a side before any is judged, because verdicts hold for all of
// them together; the statistics are in case_statistics. Runs that are not of one configuration, or
// in both the spread and a side, are refused.
#include "results/compare/compare.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "core/error.h"
#include "results/compare/case_compare.h"
#include "results/compare/case_statistics.h"
#include "results/compare/outcome.h"
#include "results/compare/run_differences.h"
#include "results/compare/run_identity.h"
#include "results/compare/side_samples.h"
#include "results/families/read_journal.h"
#include "results/record/flat_config.h"

namespace stepmark {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::string label_difference(const Record& a, const Record& b) {
  std::string out;
  const auto only = [&](const Record& x, const Record& y, const char* side) {
    for (const auto& label : x.labels) {
      if (std::find(y.labels.begin(), y.labels.end(), label) == y.labels.end()) {
        out += fmt::format("{}{} only: {}", out.empty() ? "" : "; ", side, label);
      }
    }
  };
  only(a, b, "baseline");
  only(b, a, "candidate");
  return out;
}

// Of a case with too few samples: as many runs with samples enough. Times outside of what a clock
// can give do not get better.
ToDecide unusable(const SideCase& a, const SideCase& b) {
  std::size_t fewest = kFewestSamples;
  std::size_t runs = 1;
  for (const auto* side : {&a, &b}) {
    runs = std::max(runs, side->samples.size());
    for (const auto& run : side->samples) {
      if (!run.empty()) fewest = std::min(fewest, run.size());
    }
  }
  if (fewest >= kFewestSamples) {
    return {.need = Need::no_runs, .why = "a time of it is none that a clock can give"};
  }
  const auto count = static_cast<int>(runs);
  return {.need = Need::samples,
          .runs = count,
          .more_baseline = count,
          .more_candidate = count,
          .samples_factor = static_cast<int>(2 * kFewestSamples / fewest),
          .why = {}};
}

struct Judged {
  CaseVerdict verdict;
  CaseSamples samples;
  bool tested = false;
};

Judged judge(const RunSide& baseline, const RunSide& candidate, const std::string& id,
             const CompareOptions& options) {
  auto a = side_case(baseline, id, "baseline");
  auto b = side_case(candidate, id, "candidate");
  Judged out;
  auto& v = out.verdict;
  v.case_id = id;
  v.family = !a.records.empty()   ? a.records.front()->family
             : !b.records.empty() ? b.records.front()->family
                                  : std::string{};
  v.baseline_s = side_median(a);
  v.candidate_s = side_median(b);
  v.ratio = v.lower = v.upper = v.within_lower = v.within_upper = kNaN;
  v.minimum_detectable = v.assumed_sd = v.common_sd = v.own_sd = kNaN;
  v.reason = !a.problem.empty()   ? a.problem
             : !b.problem.empty() ? b.problem
                                  : why_not_comparable(*a.records.front(), *b.records.front());
  if (!v.reason.empty()) {
    return out;
  }
  v.reason = label_difference(*a.records.front(), *b.records.front());
  if (lacks_samples(a) || lacks_samples(b)) {  // how far the medians reach is not known
    v.verdict = Verdict::undecided;
    v.reason = kNoSamples;
    v.to_decide = {.need = Need::no_runs,
                   .why = "imported without samples: only runs that are measured anew decide"};
    if (v.baseline_s > 0 && v.candidate_s > 0) v.ratio = v.candidate_s / v.baseline_s;
    return out;
  }
  if (!usable(a) || !usable(b)) {
    v.verdict = Verdict::undecided;
    v.reason = fmt::format("fewer than {} steady samples, or one outside {} s to {} s",
                           kFewestSamples, kShortest, kLongest);
    v.to_decide = unusable(a, b);
    return out;
  }
  out.tested = true;
  out.samples = {.family = v.family,
                 .baseline = std::move(a.samples),
                 .candidate = std::move(b.samples),
                 .history = samples_of(options.history, *a.records.front())};
  return out;
}

Verdict decided(const CaseStatistics& s, const CompareOptions& options) {
  const double alpha = 1 - options.confidence;
  if (s.p_different < alpha) {
    return s.ratio > 1 ? Verdict::slower : Verdict::faster;
  }
  return s.p_not_same < alpha ? Verdict::same : Verdict::undecided;
}

void set_statistics(CaseVerdict& v, const CaseStatistics& s, const CompareOptions& options) {
  v.verdict = decided(s, options);
  v.ratio = s.ratio;
  v.lower = s.interval.lower;
  v.upper = s.interval.upper;
  v.within_lower = s.within_run.lower;
  v.within_upper = s.within_run.upper;
  v.adjusted_p = s.p_different;
  v.same_p = s.p_not_same;
  v.minimum_detectable = s.minimum_detectable;
  v.spread = s.spread;
  v.common_sd = s.common_sd;
  v.own_sd = s.own_sd;
  v.assumed_sd = s.spread == Spread::generous ? kGenerousSpread
                 : s.spread == Spread::stated ? options.run_spread.value_or(kNaN)
                                              : kNaN;
  v.drift_baseline = s.drift_baseline;
  v.drift_candidate = s.drift_candidate;
  v.clock_tick_s = s.tick_s;
}

void decide(std::vector<Judged>& cases, const CompareOptions& options, const NodeLevel& nodes) {
  std::vector<CaseSamples> samples;
  for (auto& c : cases) {
    if (c.tested) {
      samples.push_back(std::move(c.samples));
    }
  }
  const auto statistics = compare_cases(samples, options, nodes);
  std::size_t next = 0;
  for (auto& c : cases) {
    if (c.tested) {
      const CaseStatistics& one = statistics[next++];
      set_statistics(c.verdict, one, options);
      if (c.verdict.verdict == Verdict::undecided && options.say_what_decides) {
        c.verdict.to_decide = to_decide(one, options, samples.size());
        c.verdict.to_decide.of_nodes = nodes.level != Level::runs;
      }
    }
  }
}

// Ids of both sides, the baseline's order first; of `only` those that contain one of its texts.
std::vector<std::string> case_ids(const RunSide& baseline, const RunSide& candidate,
                                  const std::vector<std::string>& only) {
  std::vector<std::string> out;
  std::set<std::string> seen;
  const auto wanted = [&](const std::string& id) {
    return only.empty() || std::any_of(only.begin(), only.end(), [&](const std::string& text) {
             return id.find(text) != std::string::npos;
           });
  };
  const auto add = [&](const std::string& id) {
    if (wanted(id) && seen.insert(id).second) {
      out.push_back(id);
    }
  };
  for (const auto* side : {&baseline, &candidate}) {
    for (const auto& run : side->runs) {
      for (const auto& id : run.header.cases) {
        add(id);
      }
      for (const auto& record : run.records) {
        add(record.case_id);
      }
    }
  }
  return out;
}

SideComparison compare_sides(const RunSide& baseline, const RunSide& candidate,
                             const CompareOptions& options) {
  SideComparison out{.baseline = baseline.label,
                     .candidate = candidate.label,
                     .baseline_runs = runs_of(baseline),
                     .candidate_runs = runs_of(candidate),
                     .nodes = options.of_nodes
                                  ? NodeLevel{}
                                  : node_level(nodes_of(baseline.runs), nodes_of(candidate.runs),
                                               nodes_of(options.history)),
                     .differences = differences(baseline.runs.front(), candidate.runs.front())};
  std::vector<Judged> cases;
  for (const auto& id : case_ids(baseline, candidate, options.only)) {
    cases.push_back(judge(baseline, candidate, id, options));
  }
  decide(cases, options, out.nodes);
  for (auto& c : cases) {
    refine(c.verdict, baseline, candidate);
    if (c.verdict.verdict != Verdict::undecided) c.verdict.to_decide = {};
    out.cases.push_back(std::move(c.verdict));
  }
  for (const auto* side : {&baseline, &candidate}) {
    for (const auto& run : side->runs) {
      for (const auto& warning : run.warnings) {
        out.notes.push_back(fmt::format("{}: {}", run.path, warning));
      }
    }
  }
  return out;
}

// Which cases of a suite a run was asked for is no other configuration of those that it measured.
FlatConfig identity_of(const Run& run) {
  auto out = config_identity(run.header.config);
  std::erase_if(out, [](const auto& entry) { return entry.first == "only"; });
  return out;
}

void check_side(const RunSide& side) {
  STEPMARK_REQUIRE(!side.runs.empty(), "side '{}' has no runs", side.label);
  const auto& first = side.runs.front();
  const auto identity = identity_of(first);
  for (const auto& run : side.runs) {
    const auto differs = first_difference(identity, identity_of(run));
    STEPMARK_REQUIRE(run.header.ranks == first.header.ranks &&
                         run.header.backend == first.header.backend && !differs,
                     "{} and {} are not repetitions of one configuration ({}): give them as two "
                     "sides",
                     first.path, run.path,
                     differs ? differs->key : "another backend or number of ranks");
  }
}

// The runs must be of one thing, and none of them on trial: a difference between the sides would
// otherwise count as spread.
void check_history(const std::vector<Run>& history, std::span<const RunSide> sides) {
  if (history.empty()) {
    return;
  }
  const RunSide spread{.label = "of the spread", .runs = history};
  check_side(spread);
  STEPMARK_REQUIRE(runs_of(spread) >= 2,
                   "a spread needs at least two runs of one thing, got {} alone: give more as "
                   "A1.smk,A2.smk,...",
                   history.front().path);
  std::set<std::string> known;
  for (const auto& run : history) {
    STEPMARK_REQUIRE(known.insert(run.header.run_id).second,
                     "{} is a run that the spread has already: give distinct runs", run.path);
  }
  for (const auto& side : sides) {
    for (const auto& run : side.runs) {
      STEPMARK_REQUIRE(!known.contains(run.header.run_id),
                       "{} is compared and among the spread's runs: give other runs there",
                       run.path);
    }
  }
}

}  // namespace

std::string_view name_of(Verdict verdict) {
  constexpr std::array<std::string_view, 8> kNames = {
      "same", "faster", "skipped", "undecided", "not comparable", "missing", "slower", "failed"};
  return kNames.at(static_cast<std::size_t>(verdict));
}

std::string_view name_of(Spread spread) {
  constexpr std::array<std::string_view, 3> kNames = {"measured", "stated", "generous"};
  return kNames.at(static_cast<std::size_t>(spread));
}

int SideComparison::count(Verdict verdict) const {
  return static_cast<int>(std::count_if(
      cases.begin(), cases.end(), [&](const CaseVerdict& c) { return c.verdict == verdict; }));
}

int Comparison::count(Verdict verdict) const {
  int sum = 0;
  for (const auto& side : sides) {
    sum += side.count(verdict);
  }
  return sum;
}

Verdict Comparison::worst() const {
  auto out = Verdict::same;
  for (const auto& side : sides) {
    for (const auto& c : side.cases) {
      out = std::max(out, c.verdict);
    }
  }
  return out;
}

RunSide read_side(const std::string& argument, const ReadOptions& options) {
  RunSide out{.label = argument};
  std::string_view rest = argument;
  while (true) {
    const auto comma = rest.find(',');
    const auto path = std::string(rest.substr(0, comma));
    STEPMARK_REQUIRE(!path.empty(), "'{}': empty file name, expected FILE.smk[,FILE.smk...]",
                     argument);
    out.runs.push_back(read_journal(path, options));
    if (comma == std::string_view::npos) {
      return out;
    }
    rest.remove_prefix(comma + 1);
  }
}

Comparison compare(std::span<const RunSide> sides, const CompareOptions& options) {
  STEPMARK_REQUIRE(sides.size() >= 2, "comparing needs at least two runs, got {}", sides.size());
  STEPMARK_REQUIRE(options.margin >= 0 && options.margin < 1, "margin {} is not within [0, 1)",
                   options.margin);
  STEPMARK_REQUIRE(!options.run_spread || (*options.run_spread >= 0 && *options.run_spread < 1),
                   "spread between runs {} is not within [0, 1)", options.run_spread.value_or(0));
  STEPMARK_REQUIRE(options.power > 0.5 && options.power < 1, "power {} is not within (0.5, 1)",
                   options.power);
  STEPMARK_REQUIRE(smallest_difference(options) > options.margin,
                   "the smallest difference to find, {}, is not beyond the margin of {}: "
                   "differences up to that count as the same; give a smaller --margin or a larger "
                   "--smallest",
                   smallest_difference(options), options.margin);
  STEPMARK_REQUIRE(options.confidence > 0.5 && options.confidence < 1,
                   "confidence {} is not within (0.5, 1)", options.confidence);
  for (const auto& side : sides) {
    check_side(side);
  }
  require_distinct_runs(sides);
  check_history(options.history, sides);
  Comparison out{.options = options};
  for (const auto& candidate : sides.subspan(1)) {
    out.sides.push_back(compare_sides(sides.front(), candidate, options));
  }
  return out;
}

}  // namespace stepmark
