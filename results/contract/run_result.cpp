// SPDX-License-Identifier: Apache-2.0
// Every record that a run has, usable or not: what is set aside must be named, so it is not dropped
// here.
#include "results/contract/run_result.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "results/contract/node_count.h"
#include "results/families/collective.h"
#include "results/record/common_facts.h"
#include "results/record/same_run.h"

namespace stepmark {
namespace {

// Why the record is no evidence of how fast anything is; empty where it is.
std::string why_unusable(const Record& record) {
  if (record.outcome != Outcome::ok) {
    return fmt::format("{}{}{}", name_of(record.outcome), record.reason.empty() ? "" : ": ",
                       record.reason);
  }
  for (const Check& check : record.checks) {
    if (!check.passed) return fmt::format("its check '{}' failed: {}", check.name, check.detail);
  }
  if (!record.perf_valid) return not_performance(record);
  const bool damaged =
      std::any_of(record.labels.begin(), record.labels.end(),
                  [](const std::string& label) { return label.starts_with("damaged: "); });
  if (damaged) return "its line of the journal is damaged";
  return {};
}

std::vector<std::string> stack_differences(const Run& run, const std::vector<StackFact>& stack) {
  std::vector<std::string> out;
  for (const StackFact& wanted : stack) {
    const auto& all = run.header.environment.facts;
    const auto found = std::find_if(all.begin(), all.end(), [&](const EnvironmentFact& fact) {
      return fact.section == wanted.section && fact.name == wanted.name;
    });
    if (found == all.end()) {
      out.push_back(fmt::format("its stack says nothing of '{} {}', the terms want '{}'",
                                wanted.section, wanted.name, wanted.value));
    } else if (found->value != wanted.value) {
      out.push_back(fmt::format("its stack differs: '{} {}' is '{}', the terms want '{}'",
                                wanted.section, wanted.name, found->value, wanted.value));
    }
  }
  return out;
}

RunResult result_of(const Run& run, const Record& record, std::int64_t gpus_per_node) {
  RunResult out{.source = run.path,
                .repetition = record.repetition,
                .started_unix_s = record.started_unix_s > 0 ? record.started_unix_s : 0,
                .case_id = record.case_id,
                .family = record.family};
  const auto size = record.number(facts::collective::kSizeBytes);
  if (size && *size >= 1 && *size <= 0x1p53 && std::floor(*size) == *size) {
    out.size_bytes = static_cast<std::int64_t>(*size);
  }
  NodeCount nodes = node_count(run, record, gpus_per_node);
  out.nodes = nodes.nodes;
  out.nodes_unknown = std::move(nodes.unknown);
  out.provenance = record.provenance;
  const Summary* time = record.summary(facts::kTimeS);
  out.samples = time != nullptr && !record.is_summary_only()
                    ? static_cast<std::size_t>(std::max<std::int64_t>(0, time->count))
                    : 0;
  out.median_s = time != nullptr ? time->median : std::numeric_limits<double>::quiet_NaN();
  for (const Metric& metric : record.metrics) {
    out.figures.push_back({.metric = metric.name,
                           .unit = metric.unit,
                           .value = metric.value,
                           .lower = metric.lower,
                           .upper = metric.upper,
                           .note = metric.note,
                           .higher_is_better = metric.higher_is_better});
  }
  out.unusable = why_unusable(record);
  out.record = &record;
  return out;
}

void require_distinct(std::span<const Run> runs) {
  std::vector<const Run*> all;
  for (const Run& run : runs) all.push_back(&run);
  if (const auto same = find_same_run(all)) {
    throw Error(ExitCode::kUsage,
                fmt::format("{} and {} are the same run: {}; counted twice it would look like runs "
                            "that agree; leave one out",
                            all[same->first]->path, all[same->second]->path, same->why));
  }
}

}  // namespace

void add_lines(std::span<RunResult> results, std::string_view source, const RecordLines& lines) {
  for (RunResult& result : results) {
    if (result.source != source) continue;
    const auto found = lines.find({result.case_id, result.repetition});
    if (found != lines.end()) result.line = found->second;
  }
}

const RunFigure* RunResult::figure(std::string_view metric) const {
  const auto found = std::find_if(figures.begin(), figures.end(),
                                  [&](const RunFigure& one) { return one.metric == metric; });
  return found == figures.end() ? nullptr : &*found;
}

std::vector<RunResult> run_results(std::span<const Run> runs, std::int64_t gpus_per_node) {
  require_distinct(runs);
  std::vector<RunResult> out;
  for (const Run& run : runs) {
    for (const auto& [place, record] : run.by_repetition()) {
      out.push_back(result_of(run, *record, gpus_per_node));
    }
  }
  return out;
}

std::vector<RunResult> run_results(std::span<const Run> runs, const Terms& terms) {
  std::vector<RunResult> out = run_results(runs, terms.gpus_per_node);
  for (const Run& run : runs) {
    const auto differences = stack_differences(run, terms.stack);
    if (differences.empty()) continue;
    for (RunResult& result : out) {
      if (result.source == run.path) result.stack_differs = differences;
    }
  }
  return out;
}

}  // namespace stepmark
