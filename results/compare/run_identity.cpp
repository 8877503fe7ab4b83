// SPDX-License-Identifier: Apache-2.0
// By run id, and by case, start time and samples, which also finds a copy whose id was edited.
// Series too short or too coarse to tell anything are passed over.
#include "results/compare/run_identity.h"
#include "results/record/common_facts.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"

namespace stepmark {

namespace {

// Below, a case decides nothing; and a clock that gives few distinct values could give the same
// ones twice.
constexpr std::size_t kFewestSamples = 6;
constexpr std::size_t kFewestDistinct = 4;

struct Place {
  std::size_t side;
  const Run* run;
};

std::string sides_text(const Place& a, const Place& b) {
  return a.side == b.side ? "on one side, where every file must be a run of its own"
                          : "on two sides, where a run would be compared with itself";
}

[[noreturn]] void refuse(const Place& a, const Place& b, const std::string& why) {
  const bool same_file = a.run->path == b.run->path;
  throw Error(ExitCode::kUsage,
              fmt::format("{} and {} {}: {}; leave one out", a.run->path, b.run->path,
                          same_file ? fmt::format("are one file, given twice {}", sides_text(a, b))
                                    : fmt::format("are the same run {}", sides_text(a, b)),
                          why));
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
      std::set<double>(values.begin(), values.end()).size() >= kFewestDistinct;
  return telling ? &values : nullptr;
}

// By case and the time it began.
using Samples = std::map<std::pair<std::string, double>,
                         std::vector<std::pair<Place, const std::vector<double>*>>>;

void compare_records(const Place& place, Samples& seen) {
  for (const auto& record : place.run->records) {
    const auto* samples = samples_of(record);
    if (samples == nullptr) {
      continue;
    }
    auto& others = seen[{record.case_id, record.started_unix_s}];
    for (const auto& [other, values] : others) {
      if (other.run != place.run && *values == *samples) {
        refuse(other, place, fmt::format("'{}' has the same samples in both", record.case_id));
      }
    }
    others.emplace_back(place, samples);
  }
}

}  // namespace

void require_distinct_runs(std::span<const RunSide> sides) {
  std::map<std::string, Place> ids;
  Samples samples;
  for (std::size_t side = 0; side < sides.size(); ++side) {
    for (const auto& run : sides[side].runs) {
      const Place place{.side = side, .run = &run};
      const auto [known, added] = ids.emplace(run.header.run_id, place);
      if (!added && !run.header.run_id.empty()) {
        refuse(known->second, place, fmt::format("run_id {}", run.header.run_id));
      }
      compare_records(place, samples);
    }
  }
}

}  // namespace stepmark
