// SPDX-License-Identifier: Apache-2.0
// Labels that all records share are said once at the end; the others get letters in the order in
// which they come.
#include "results/views/table/remarks.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "results/record/common_facts.h"
#include "results/views/table/text_table.h"

namespace stepmark {

Records measured(const Run& run, std::string_view family) {
  Records out;
  for (const auto& record : run.records) {
    if (record.family == family && record.outcome == Outcome::ok) {
      out.push_back(&record);
    }
  }
  return out;
}

const Summary& time_of(const Record& record) {
  static const Summary kNone{.series = facts::kTimeS,
                             .median = std::numeric_limits<double>::quiet_NaN(),
                             .lower = std::numeric_limits<double>::quiet_NaN(),
                             .upper = std::numeric_limits<double>::quiet_NaN(),
                             .p99 = std::numeric_limits<double>::quiet_NaN()};
  const auto* found = record.summary(facts::kTimeS);
  return found == nullptr ? kNone : *found;
}

std::vector<std::string> common_labels(const Run& run) {
  std::vector<std::string> common;
  bool first = true;
  for (const auto& record : run.records) {
    if (record.outcome != Outcome::ok) {
      continue;
    }
    if (first) {
      common = record.labels;
      first = false;
    }
    std::erase_if(common, [&](const std::string& label) {
      return std::find(record.labels.begin(), record.labels.end(), label) == record.labels.end();
    });
  }
  return common;
}

std::vector<std::string> Remarks::texts(const Record& record) const {
  std::vector<std::string> out;
  if (record.provenance != Provenance::measured) {
    out.emplace_back(name_of(record.provenance));
  }
  if (!record.perf_valid) {
    out.push_back(not_performance(record));
  }
  for (const auto& label : record.labels) {
    if (std::find(common_.begin(), common_.end(), label) == common_.end()) {
      out.push_back(label);
    }
  }
  return out;
}

std::string Remarks::marks(const Record& record) {
  std::string out;
  for (const auto& text : texts(record)) {
    auto found = std::find(known_.begin(), known_.end(), text);
    if (found == known_.end()) {
      found = known_.insert(known_.end(), text);
    }
    const auto index = static_cast<std::size_t>(found - known_.begin());
    out += fmt::format(
        "{}{}", out.empty() ? "" : " ",
        index < 26 ? std::string(1, static_cast<char>('a' + index)) : fmt::format("{}", index + 1));
  }
  return out;
}

std::string Remarks::legend() const {
  std::string out;
  for (std::size_t i = 0; i < known_.size(); ++i) {
    out += wrapped(
        fmt::format("{} {}",
                    i < 26 ? std::string(1, static_cast<char>('a' + i)) : fmt::format("{}", i + 1),
                    known_[i]),
        2);
  }
  return out;
}

}  // namespace stepmark
