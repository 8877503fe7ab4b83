// SPDX-License-Identifier: Apache-2.0
// By run id, and by case, start time and samples, which also finds a copy whose id was edited.
// Series too short or too coarse to tell anything are passed over.
#include "results/record/same_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "results/record/common_facts.h"

namespace stepmark {

namespace {

// Below, a case decides nothing; and a clock that gives few distinct values could give the same
// ones twice.
constexpr std::size_t kFewestSamples = 6;
constexpr std::size_t kFewestDistinct = 4;

// Seen after a few values nearly always, and a long series is never copied.
bool has_distinct(const std::vector<double>& values, std::size_t count) {
  std::set<double> seen;
  return std::any_of(values.begin(), values.end(), [&](double value) {
    seen.insert(value);
    return seen.size() >= count;
  });
}

const std::vector<double>* samples_of(const Record& record) {
  const auto found = std::find_if(record.series.begin(), record.series.end(),
                                  [](const Series& s) { return s.name == facts::kTimeS; });
  if (record.outcome != Outcome::ok || found == record.series.end() ||
      !(record.started_unix_s > 0)) {
    return nullptr;
  }
  const auto& values = found->values;
  const bool telling =
      values.size() >= kFewestSamples &&
      std::all_of(values.begin(), values.end(), [](double x) { return std::isfinite(x); }) &&
      has_distinct(values, kFewestDistinct);
  return telling ? &values : nullptr;
}

// By case and the time it began: place of the run, and its samples.
using Samples = std::map<std::pair<std::string, double>,
                         std::vector<std::pair<std::size_t, const std::vector<double>*>>>;

std::optional<SameRun> find_same_record(const Run& run, std::size_t place, Samples& seen) {
  for (const auto& record : run.records) {
    const auto* samples = samples_of(record);
    if (samples == nullptr) {
      continue;
    }
    auto& others = seen[{record.case_id, record.started_unix_s}];
    for (const auto& [other, values] : others) {
      if (other != place && *values == *samples) {
        return SameRun{.first = other,
                       .second = place,
                       .why = fmt::format("'{}' has the same samples in both", record.case_id)};
      }
    }
    others.emplace_back(place, samples);
  }
  return std::nullopt;
}

}  // namespace

std::optional<SameRun> find_same_run(std::span<const Run* const> runs) {
  std::map<std::string, std::size_t> ids;
  Samples samples;
  for (std::size_t place = 0; place < runs.size(); ++place) {
    const auto& id = runs[place]->header.run_id;
    const auto [known, added] = ids.emplace(id, place);
    if (!added && !id.empty()) {
      return SameRun{.first = known->second, .second = place, .why = fmt::format("run_id {}", id)};
    }
    if (auto same = find_same_record(*runs[place], place, samples)) {
      return same;
    }
  }
  return std::nullopt;
}

}  // namespace stepmark
