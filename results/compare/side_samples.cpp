// SPDX-License-Identifier: Apache-2.0
// One group of samples per repetition asked for, empty where it has none, so that groups of
// different cases of a run stay aligned: the common part of the spread is found across them.
#include "results/compare/side_samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "results/compare/case_compare.h"
#include "results/record/common_facts.h"
#include "results/record/summary.h"

namespace stepmark {

namespace {

const Series* time_series(const Record& record) {
  const auto found = std::find_if(record.series.begin(), record.series.end(),
                                  [](const Series& s) { return s.name == facts::kTimeS; });
  return found == record.series.end() ? nullptr : &*found;
}

// A record that was read has the summary of its samples (recompute.h), which says where they become
// steady; to find that takes longer than to read them.
std::vector<double> steady_times(const Record& record) {
  const auto* series = time_series(record);
  if (series == nullptr) {
    return {};
  }
  const auto* summary = record.summary(facts::kTimeS);
  if (summary == nullptr) {
    return steady_values(*series);
  }
  auto out = steady_values(*series, summary->steady_from);
  const bool of_these = std::ssize(out) == summary->count;
  return of_these ? out : steady_values(*series);
}

std::size_t repetitions_of(const Run& run) {
  return static_cast<std::size_t>(std::max(1, run.header.repetitions));
}

// One entry per repetition asked for, so that entries of all cases of a run belong together.
Groups by_repetition(const Run& run, const Record& record) {
  const auto parts = run.repetitions(record.case_id);
  if (parts.size() < 2 && repetitions_of(run) == 1) {
    return {steady_times(record)};
  }
  Groups out(repetitions_of(run));
  for (const auto* part : parts) {
    const auto index = static_cast<std::size_t>(std::max(1, part->repetition)) - 1;
    if (part->outcome == Outcome::ok && index < out.size()) {
      out[index] = steady_times(*part);
    }
  }
  return out;
}

bool enough(std::span<const double> samples) {
  return samples.size() >= kFewestSamples &&
         std::all_of(samples.begin(), samples.end(),
                     [](double x) { return x >= kShortest && x <= kLongest; });
}

void append(Groups& to, Groups from) {
  std::move(from.begin(), from.end(), std::back_inserter(to));
}

}  // namespace

SideCase side_case(const RunSide& runs, const std::string& id, const std::string& side) {
  SideCase out;
  for (const auto& run : runs.runs) {
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
    append(out.samples, by_repetition(run, *record));
  }
  return out;
}

Groups samples_of(std::span<const Run> runs, const Record& like) {
  Groups out;
  for (const auto& run : runs) {
    const auto* record = run.find(like.case_id);
    const bool same = record != nullptr && why_not_comparable(like, *record).empty();
    auto samples = same ? by_repetition(run, *record) : Groups(repetitions_of(run));
    for (auto& of_run : samples) {
      if (!enough(of_run)) {
        of_run.clear();
      }
    }
    append(out, std::move(samples));
  }
  return out;
}

int runs_of(const RunSide& side) {
  std::size_t out = 0;
  for (const auto& run : side.runs) {
    out += repetitions_of(run);
  }
  return static_cast<int>(out);
}

double side_median(const SideCase& side) {
  std::vector<double> medians;
  for (const auto& run : side.samples) {
    if (!run.empty()) {
      medians.push_back(median(run));
    }
  }
  for (const auto* record : side.records) {
    if (record->is_summary_only()) {
      medians.push_back(record->summary(facts::kTimeS)->median);
    }
  }
  return medians.empty() ? std::numeric_limits<double>::quiet_NaN() : median(medians);
}

bool lacks_samples(const SideCase& side) {
  return std::any_of(side.records.begin(), side.records.end(),
                     [](const Record* record) { return record->is_summary_only(); });
}

bool usable(const SideCase& side) {
  const auto fits = [](const auto& run) { return run.empty() || enough(run); };
  const auto holds = [](const auto& run) { return !run.empty(); };
  return std::all_of(side.samples.begin(), side.samples.end(), fits) &&
         std::any_of(side.samples.begin(), side.samples.end(), holds);
}

}  // namespace stepmark
