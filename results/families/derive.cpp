// SPDX-License-Identifier: Apache-2.0
// Metrics from facts and times. Conventions: docs/measuring.md; names: docs/file-formats.md.
#include "results/families/derive.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <stdexcept>
#include <vector>

#include "core/number_text.h"
#include "results/families/family.h"
#include "results/families/figures.h"
#include "results/record/common_facts.h"
#include "results/record/summary.h"

namespace stepmark {
namespace {

// Any family: a sample's share of the energy of the whole window; where a sample is of several
// calls, one call's.
void derive_energy(const Family& family, Record& record) {
  const auto joules = positive(record, facts::kJoulesPerSample);
  if (!joules) return;
  const double calls = family.calls_per_sample.empty()
                           ? 1.0
                           : positive(record, family.calls_per_sample).value_or(1.0);
  add(record, figure("energy", "J", *joules / calls, "of all devices, per sample; waiting included",
                     false));
}

// What was timed is not what the machine can do: no figure of it may pass for that.
void withhold_performance(Record& record) {
  drop_remarks(record);
  for (Metric& metric : record.metrics) {
    metric.value.reset();
    metric.lower.reset();
    metric.upper.reset();
    metric.note = not_performance(record);
  }
}

// What an imported record says of series whose samples it lacks.
std::vector<Summary> imported_summaries(const Record& record) {
  std::vector<Summary> out;
  if (record.provenance != Provenance::imported) return out;
  for (const Summary& summary : record.summaries) {
    if (!record.has_samples(summary.series)) out.push_back(without_samples(summary));
  }
  return out;
}

std::string known_families() {
  std::string out;
  for (const Family& family : families()) {
    out += fmt::format("{}{}", out.empty() ? "" : " | ", family.name);
  }
  return out;
}

// Both throw for what gives no figure at all; derive_guarded makes a remark of it.
void metrics_of_summaries(Record& record);

void derive_metrics(Record& record) {
  std::vector<Summary> told = imported_summaries(record);
  record.summaries.clear();
  for (const auto& series : record.series) {
    const bool is_told = std::any_of(told.begin(), told.end(),
                                     [&](const Summary& s) { return s.series == series.name; });
    if (!is_told) record.summaries.push_back(summarize(series));
  }
  std::move(told.begin(), told.end(), std::back_inserter(record.summaries));
  metrics_of_summaries(record);
}

void metrics_of_summaries(Record& record) {
  const Summary* time = usable_summary(record, facts::kTimeS);
  if (time == nullptr) throw std::runtime_error(no_samples(facts::kTimeS));
  if (!std::isfinite(time->median) || time->median <= 0) {
    throw std::runtime_error(
        fmt::format("a median time of {} s is not a measurement", number_text("{}", time->median)));
  }
  const Family* family = find_family(record.family);
  if (family == nullptr) {
    throw std::runtime_error(
        fmt::format("family '{}', expected {}", record.family, known_families()));
  }
  family->derive(record, Summary(*time));
  derive_energy(*family, record);
  if (!record.perf_valid) withhold_performance(record);
}

}  // namespace

void derive(Record& record) {
  record.metrics.clear();
  drop_remarks(record);
  if (record.outcome != Outcome::ok) {
    record.summaries.clear();
    return;
  }
  derive_guarded(record, derive_metrics);
  if (record.is_summary_only()) record.labels.emplace_back(kNoSamples);
}

void derive_from_summaries(Record& record) {
  record.metrics.clear();
  drop_remarks(record);
  if (record.outcome == Outcome::ok) derive_guarded(record, metrics_of_summaries);
}

}  // namespace stepmark
