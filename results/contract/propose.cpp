// SPDX-License-Identifier: Apache-2.0
// One floor per case and node count, so that none speaks of what was not run. Values are rounded
// to four digits away from what was measured.
#include "results/contract/propose.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "core/error.h"
#include "core/stats.h"
#include "results/contract/node_count.h"
#include "results/families/family.h"

namespace stepmark {
namespace {

constexpr std::int64_t kYearS = 365 * kDayS;
constexpr std::size_t kLongestFact = 200;

bool wanted(const ProposeOptions& options, const std::string& id) {
  const auto& filters = options.filters;
  return filters.empty() || std::any_of(filters.begin(), filters.end(), [&](const auto& text) {
           return id.find(text) != std::string::npos;
         });
}

// The figure that a family shows first, where it has a value; else the first one of speed.
const RunFigure* headline(const RunResult& result, const std::string& asked) {
  const auto usable = [](const RunFigure* figure) {
    return figure != nullptr && figure->value && std::isfinite(*figure->value) &&
           *figure->value > 0;
  };
  if (!asked.empty()) return usable(result.figure(asked)) ? result.figure(asked) : nullptr;
  if (const Family* family = find_family(result.family)) {
    const Section& section = family->section;
    for (const Curves& curves : section.curves) {
      for (const auto& shown : curves.figures) {
        if (usable(result.figure(shown.metric))) return result.figure(shown.metric);
      }
    }
    for (const Bars& bars : section.bars) {
      if (usable(result.figure(bars.metric))) return result.figure(bars.metric);
    }
  }
  for (const RunFigure& figure : result.figures) {
    if (figure.higher_is_better && usable(&figure)) return &figure;
  }
  const auto any = std::find_if(result.figures.begin(), result.figures.end(),
                                [&](const RunFigure& one) { return usable(&one); });
  return any == result.figures.end() ? nullptr : &*any;
}

// To four digits, down for `at_least` and up for `at_most`.
double rounded_outward(double value, FloorDirection direction) {
  const int exponent = 3 - static_cast<int>(std::floor(std::log10(value)));
  const double scale = std::pow(10.0, std::abs(exponent));
  const double digits = exponent >= 0 ? value * scale : value / scale;
  const double kept =
      direction == FloorDirection::at_least ? std::floor(digits) : std::ceil(digits);
  return exponent >= 0 ? kept / scale : kept * scale;
}

ProposedFloor floor_of(const std::vector<const RunResult*>& runs, const std::string& metric,
                       const ProposeOptions& options) {
  const RunResult& first = *runs.front();
  const RunFigure& shown = *first.figure(metric);
  ProposedFloor out;
  out.floor.case_id = first.case_id;
  out.floor.nodes = {*first.nodes};
  out.floor.metric = metric;
  out.floor.unit = shown.unit;
  out.floor.quantile = options.quantile;
  out.floor.confidence = options.confidence;
  const bool higher = shown.higher_is_better;
  out.floor.direction = higher ? FloorDirection::at_least : FloorDirection::at_most;
  std::vector<double> figures;
  std::set<std::string> journals;
  for (const RunResult* run : runs) {
    figures.push_back(*run->figure(metric)->value);
    journals.insert(run->source);
  }
  out.estimate = quantile(figures, options.quantile);
  out.worst = higher ? *std::min_element(figures.begin(), figures.end())
                     : *std::max_element(figures.begin(), figures.end());
  out.floor.value =
      rounded_outward(out.estimate * (1 + (higher ? -1 : 1) * options.margin), out.floor.direction);
  out.runs = figures.size();
  out.journals = journals.size();
  out.provenance = first.provenance;
  return out;
}

std::vector<StackFact> shared_stack(std::span<const Run> runs) {
  std::vector<StackFact> out;
  for (const EnvironmentFact& fact : runs.front().header.environment.facts) {
    const bool of_stack = fact.section == "hardware" || fact.section == "software";
    if (!of_stack || !fact.fingerprint || fact.value.empty() || fact.value.size() > kLongestFact) {
      continue;
    }
    const bool shared = std::all_of(runs.begin(), runs.end(), [&](const Run& run) {
      return run.header.environment.get(fact.section, fact.name) == fact.value;
    });
    const bool known = std::any_of(out.begin(), out.end(), [&](const StackFact& one) {
      return one.section == fact.section && one.name == fact.name;
    });
    if (shared && !known) {
      out.push_back({.section = fact.section, .name = fact.name, .value = fact.value});
    }
  }
  return out;
}

std::int64_t gpus_per_node_of(std::span<const Run> runs, const ProposeOptions& options) {
  if (options.gpus_per_node > 0) return options.gpus_per_node;
  std::set<std::int64_t> found;
  for (const Run& run : runs) found.insert(ranks_per_host(run).value_or(0));
  STEPMARK_REQUIRE(found.size() == 1 && *found.begin() > 0,
                   "the runs do not say alike how many GPUs a node has: give --gpus-per-node");
  return *found.begin();
}

// Of the first result; where none has a date, that of the journal.
std::int64_t first_day(std::span<const Run> runs, double first_start) {
  std::int64_t moment = month_of(1'800'000'000).from;
  if (first_start > 0) {
    moment = static_cast<std::int64_t>(std::clamp(first_start, 9.5e8, 7e9));
  } else if (const auto told = parse_moment(runs.front().header.started)) {
    moment = *told;
  }
  return moment / kDayS * kDayS;
}

}  // namespace

Proposal propose(std::span<const Run> runs, const ProposeOptions& options) {
  STEPMARK_REQUIRE(!runs.empty(), "no run to propose from");
  Proposal out{.stack = shared_stack(runs),
               .gpus_per_node = gpus_per_node_of(runs, options),
               .options = options};
  const auto results = run_results(runs, out.gpus_per_node);
  std::map<std::pair<std::string, std::int64_t>, std::vector<const RunResult*>> cases;
  double first_start = 0;
  for (const RunResult& result : results) {
    if (!wanted(options, result.case_id)) continue;
    const RunFigure* figure = headline(result, options.metric);
    std::string why = !result.unusable.empty() ? result.unusable
                      : !result.nodes          ? result.nodes_unknown
                      : figure == nullptr      ? "it has no such figure"
                                               : "";
    auto& known = cases[{result.case_id, result.nodes.value_or(0)}];
    if (why.empty() && !known.empty() && known.front()->provenance != result.provenance) {
      why = fmt::format("it is {}, beside {} runs", name_of(result.provenance),
                        name_of(known.front()->provenance));
    }
    if (!why.empty()) {
      out.left_out.push_back(fmt::format("{} ({}, repetition {}): {}", result.case_id,
                                         result.source, result.repetition, why));
      continue;
    }
    known.push_back(&result);
    const double start = result.started_unix_s;
    if (start > 0 && (first_start == 0 || start < first_start)) first_start = start;
  }
  for (const auto& [key, own] : cases) {
    const auto& all = own;  // a lambda of C++20 takes no part of a pair
    if (all.empty()) continue;
    const std::string metric = headline(*all.front(), options.metric)->metric;
    const bool alike = std::all_of(all.begin(), all.end(), [&](const RunResult* run) {
      const RunFigure* figure = run->figure(metric);
      return figure != nullptr && figure->value && *figure->value > 0 &&
             figure->unit == all.front()->figure(metric)->unit;
    });
    if (all.size() < 2 || !alike) {
      out.left_out.push_back(fmt::format(
          "{}: {}", key.first,
          alike ? "a single run does not say what runs differ by; measure it again (run --repeat 3)"
                : "its runs do not all have " + metric));
      continue;
    }
    ProposedFloor floor = floor_of(all, metric, options);
    const bool twice = std::any_of(out.floors.begin(), out.floors.end(), [&](const auto& other) {
      return other.floor.case_id == floor.floor.case_id;
    });
    floor.floor.name = twice ? fmt::format("{} on {} nodes", key.first, key.second) : key.first;
    out.nodes = std::max(out.nodes, key.second);
    out.floors.push_back(std::move(floor));
  }
  if (out.floors.empty()) {
    throw Error(ExitCode::kNotMeasured,
                fmt::format("nothing can be proposed: {}",
                            out.left_out.empty() ? "no case is asked for" : out.left_out.front()));
  }
  const std::int64_t day = first_day(runs, first_start);
  out.valid = {.from = day, .to = day + kYearS};
  return out;
}

}  // namespace stepmark
