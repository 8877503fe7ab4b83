// SPDX-License-Identifier: Apache-2.0
// Look-ups by name, linear: a record has a few dozen facts. A record is a summary alone when it was
// imported without samples but with a median.
#include "results/record/record.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "results/record/common_facts.h"

namespace stepmark {

namespace {
constexpr std::array<std::string_view, 4> kProvenances = {"measured", "simulated", "projected",
                                                          "imported"};
constexpr std::array<std::string_view, 4> kOutcomes = {"ok", "skipped", "failed", "not-measured"};
}  // namespace

std::string not_performance(const Record& record) {
  const std::string topology = record.text(facts::kTopology);
  return topology.empty() ? "not performance" : "not performance: " + topology;
}

std::string_view name_of(Provenance provenance) {
  return kProvenances.at(static_cast<std::size_t>(provenance));
}

std::string_view name_of(Outcome outcome) {
  return kOutcomes.at(static_cast<std::size_t>(outcome));
}

std::optional<double> Record::number(std::string_view name) const {
  const auto found = std::find_if(numbers.begin(), numbers.end(),
                                  [&](const auto& entry) { return entry.first == name; });
  return found == numbers.end() ? std::nullopt : std::optional<double>(found->second);
}

std::string Record::text(std::string_view name) const {
  const auto found = std::find_if(texts.begin(), texts.end(),
                                  [&](const auto& entry) { return entry.first == name; });
  return found == texts.end() ? std::string{} : found->second;
}

const Metric* Record::metric(std::string_view name) const {
  const auto found =
      std::find_if(metrics.begin(), metrics.end(), [&](const Metric& m) { return m.name == name; });
  return found == metrics.end() ? nullptr : &*found;
}

const Summary* Record::summary(std::string_view series_name) const {
  const auto found = std::find_if(summaries.begin(), summaries.end(),
                                  [&](const Summary& s) { return s.series == series_name; });
  return found == summaries.end() ? nullptr : &*found;
}

bool Record::has_samples(std::string_view series_name) const {
  return std::any_of(series.begin(), series.end(),
                     [&](const Series& s) { return s.name == series_name && !s.values.empty(); });
}

bool Record::is_summary_only() const {
  const Summary* time = summary(facts::kTimeS);
  return provenance == Provenance::imported && !has_samples(facts::kTimeS) && time != nullptr &&
         std::isfinite(time->median);
}

}  // namespace stepmark
