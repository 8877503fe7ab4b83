// SPDX-License-Identifier: Apache-2.0
#include "results/compare/compare.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "core/error.h"
#include "results/compare/case_compare.h"
#include "results/compare/outcome.h"
#include "results/compare/run_identity.h"
#include "results/record/summary.h"

namespace stepmark {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kRestless = 0.05;         // assumed sd between runs that deserves a note
constexpr std::size_t kFewestSamples = 6;  // below, a median has no 95 % interval

const Series* time_series(const Record& record) {
  const auto found = std::find_if(record.series.begin(), record.series.end(),
                                  [](const Series& s) { return s.name == "time_s"; });
  return found == record.series.end() ? nullptr : &*found;
}

// Run-level facts and the configuration as facts like those of the environment.
std::vector<EnvironmentFact> all_facts(const Run& run) {
  const auto& h = run.header;
  std::vector<EnvironmentFact> out = {
      {"run", "suite", h.suite},
      {"run", "backend", h.backend},
      {"run", "ranks", fmt::format("{}", h.ranks)},
      {"run", "stepmark version", h.tool_version},
      {"run", "git revision", h.git_revision + (h.dirty ? " (modified tree)" : "")},
      {"run", "build type", h.build_type}};
  if (h.config.is_object() || h.config.is_array()) {
    const auto flat = h.config.flatten();
    for (const auto& [path, value] : flat.items()) {
      out.push_back({"config", path, value.is_string() ? value.get<std::string>() : value.dump()});
    }
  }
  out.insert(out.end(), h.environment.facts.begin(), h.environment.facts.end());
  return out;
}

std::vector<Difference> differences(const Run& a, const Run& b) {
  std::vector<Difference> out;
  std::map<std::pair<std::string, std::string>, EnvironmentFact> others;
  for (auto& fact : all_facts(b)) {
    others.emplace(std::pair(fact.group, fact.name), fact);
  }
  for (const auto& fact : all_facts(a)) {
    auto other = others.extract({fact.group, fact.name});
    const auto value = other.empty() ? std::string{} : other.mapped().value;
    if (value != fact.value) {
      out.push_back({fact.group, fact.name, fact.value, value, fact.fingerprint});
    }
  }
  for (const auto& [key, fact] : others) {
    out.push_back({fact.group, fact.name, "", fact.value, fact.fingerprint});
  }
  std::stable_sort(out.begin(), out.end(), [](const Difference& x, const Difference& y) {
    return x.fingerprint > y.fingerprint;
  });
  return out;
}

// A case on one side: its records over the side's runs.
struct SideCase {
  std::vector<const Record*> records;
  Groups samples;
  std::string problem;  // why it cannot be used; empty when it can
};

SideCase side_case(const RunGroup& group, const std::string& id, const std::string& side) {
  SideCase out;
  for (const auto& run : group.runs) {
    const auto* record = run.find(id);
    if (record == nullptr) {
      out.problem = fmt::format("{}: no such case in {}", side, run.path);
      return out;
    }
    if (!out.records.empty()) {
      if (const auto why = why_not_comparable(*out.records.front(), *record); !why.empty()) {
        out.problem = fmt::format("{}: its own runs differ: {}", side, why);
        return out;
      }
    }
    out.records.push_back(record);
    const auto* series = time_series(*record);
    out.samples.push_back(series == nullptr ? std::vector<double>{} : steady_values(*series));
  }
  return out;
}

double side_median(const SideCase& side) {
  std::vector<double> medians;
  for (const auto& run : side.samples) {
    medians.push_back(median(run));
  }
  return medians.empty() ? kNaN : median(medians);
}

bool usable(const SideCase& side) {
  return std::all_of(side.samples.begin(), side.samples.end(), [](const auto& samples) {
    return samples.size() >= kFewestSamples &&
           std::all_of(samples.begin(), samples.end(), [](double x) { return x > 0; });
  });
}

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

struct Judged {
  CaseVerdict verdict;
  CaseSamples samples;
  CaseStatistics statistics;
  bool tested = false;
};

Judged judge(const RunGroup& baseline, const RunGroup& candidate, const std::string& id) {
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
  v.ratio = v.lower = v.upper = v.minimum_detectable = v.assumed_sd = kNaN;
  v.reason = !a.problem.empty()   ? a.problem
             : !b.problem.empty() ? b.problem
                                  : why_not_comparable(*a.records.front(), *b.records.front());
  if (!v.reason.empty()) {
    return out;
  }
  v.reason = label_difference(*a.records.front(), *b.records.front());
  if (!usable(a) || !usable(b)) {
    v.verdict = Verdict::undecided;
    v.reason = fmt::format("fewer than {} steady samples", kFewestSamples);
    return out;
  }
  out.tested = true;
  out.samples = {
      .family = v.family, .baseline = std::move(a.samples), .candidate = std::move(b.samples)};
  return out;
}

void estimate(std::vector<Judged>& cases, const CompareOptions& options) {
  std::vector<CaseSamples> samples;
  for (auto& c : cases) {
    if (c.tested) {
      samples.push_back(std::move(c.samples));
    }
  }
  const auto sd = assumed_between_run_sd(samples, options);
  std::size_t next = 0;
  for (auto& c : cases) {
    if (!c.tested) {
      continue;
    }
    const auto& own = samples[next];
    const bool measured = own.baseline.size() > 1 && own.candidate.size() > 1;
    c.statistics = compare_samples(own, sd[next++], samples.size(), options);
    const auto& s = c.statistics;
    auto& v = c.verdict;
    v.ratio = s.ratio.ratio;
    v.lower = s.ratio.interval.lower;
    v.upper = s.ratio.interval.upper;
    v.minimum_detectable = s.minimum_detectable;
    v.assumed_sd = measured ? kNaN : s.assumed_sd;
  }
}

void decide(std::vector<Judged>& cases, const CompareOptions& options) {
  std::vector<double> p_values;
  for (const auto& c : cases) {
    if (c.tested) {
      p_values.push_back(c.statistics.p_beyond_margin);
    }
  }
  const auto adjusted = holm_adjust(p_values);
  std::size_t next = 0;
  for (auto& c : cases) {
    if (!c.tested) {
      continue;
    }
    c.verdict.adjusted_p = adjusted[next++];
    if (c.verdict.adjusted_p < 1 - options.confidence) {
      c.verdict.verdict = c.verdict.ratio > 1 ? Verdict::slower : Verdict::faster;
    } else {
      c.verdict.verdict = c.statistics.within_margin ? Verdict::same : Verdict::undecided;
    }
  }
}

// Ids of both sides, the baseline's order first.
std::vector<std::string> case_ids(const RunGroup& baseline, const RunGroup& candidate) {
  std::vector<std::string> out;
  std::set<std::string> seen;
  const auto add = [&](const std::string& id) {
    if (seen.insert(id).second) {
      out.push_back(id);
    }
  };
  for (const auto* group : {&baseline, &candidate}) {
    for (const auto& run : group->runs) {
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

SideComparison compare_sides(const RunGroup& baseline, const RunGroup& candidate,
                             const CompareOptions& options) {
  SideComparison out{.baseline = baseline.label,
                     .candidate = candidate.label,
                     .differences = differences(baseline.runs.front(), candidate.runs.front())};
  std::vector<Judged> cases;
  for (const auto& id : case_ids(baseline, candidate)) {
    cases.push_back(judge(baseline, candidate, id));
  }
  estimate(cases, options);
  decide(cases, options);
  for (auto& c : cases) {
    refine(c.verdict, baseline, candidate);
    out.cases.push_back(std::move(c.verdict));
  }
  for (const auto* group : {&baseline, &candidate}) {
    for (const auto& run : group->runs) {
      for (const auto& warning : run.warnings) {
        out.notes.push_back(fmt::format("{}: {}", run.path, warning));
      }
    }
  }
  std::vector<double> assumed;
  for (const auto& c : out.cases) {
    if (std::isfinite(c.assumed_sd)) {
      assumed.push_back(c.assumed_sd);
    }
  }
  if (!assumed.empty() && median(assumed) > kRestless) {
    out.notes.push_back(fmt::format(
        "The ratios scatter from case to case, or samples drift: runs here differ by about {:.0f} "
        "% by themselves. Is the machine shared, or are ranks oversubscribed?",
        100 * median(assumed)));
  }
  if (baseline.runs.size() + candidate.runs.size() == 2) {
    out.notes.emplace_back(
        "One run per side: how much runs differ by themselves is assumed, not measured; give "
        "repetitions as A1.smk,A2.smk to measure it.");
  }
  return out;
}

void check_group(const RunGroup& group) {
  STEPMARK_REQUIRE(!group.runs.empty(), "side '{}' has no runs", group.label);
  const auto& first = group.runs.front();
  for (const auto& run : group.runs) {
    STEPMARK_REQUIRE(run.header.ranks == first.header.ranks &&
                         run.header.backend == first.header.backend &&
                         run.header.config == first.header.config,
                     "{} and {} are not repetitions of one configuration: give them as two sides",
                     first.path, run.path);
  }
}

}  // namespace

std::string_view name_of(Verdict verdict) {
  constexpr std::array<std::string_view, 8> kNames = {
      "same", "faster", "skipped", "undecided", "not comparable", "missing", "slower", "failed"};
  return kNames.at(static_cast<std::size_t>(verdict));
}

int SideComparison::count(Verdict verdict) const {
  return static_cast<int>(std::count_if(
      cases.begin(), cases.end(), [&](const CaseVerdict& c) { return c.verdict == verdict; }));
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

RunGroup read_run_group(const std::string& argument, const ReadOptions& options) {
  RunGroup out{.label = argument};
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

Comparison compare(std::span<const RunGroup> groups, const CompareOptions& options) {
  STEPMARK_REQUIRE(groups.size() >= 2, "comparing needs at least two runs, got {}", groups.size());
  STEPMARK_REQUIRE(options.margin >= 0 && options.margin < 1, "margin {} is not within [0, 1)",
                   options.margin);
  STEPMARK_REQUIRE(options.confidence > 0.5 && options.confidence < 1,
                   "confidence {} is not within (0.5, 1)", options.confidence);
  for (const auto& group : groups) {
    check_group(group);
  }
  require_distinct_runs(groups);
  Comparison out{.options = options};
  for (const auto& candidate : groups.subspan(1)) {
    out.sides.push_back(compare_sides(groups.front(), candidate, options));
  }
  return out;
}

}  // namespace stepmark
