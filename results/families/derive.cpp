// SPDX-License-Identifier: Apache-2.0
// Metrics from facts and times. Conventions: docs/measuring.md; names: docs/file-formats.md.
#include "results/families/derive.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <stdexcept>
#include <vector>

#include "core/number_text.h"
#include "results/families/figures.h"
#include "results/record/summary.h"

namespace stepmark {
namespace {

struct Family {
  std::string_view name;
  void (*derive)(Record&, const Summary&);
};
constexpr std::array<Family, 5> kFamilies{{{"collective", derive_collective},
                                           {"kernel", derive_kernel},
                                           {"step", derive_step},
                                           {"groups", derive_groups},
                                           {"overlap", derive_overlap}}};

// Any family: a sample's share of the energy of the whole window. Of a collective, one call's.
void derive_energy(Record& record) {
  const auto joules = positive(record, "joules_per_sample");
  if (!joules) return;
  const double calls =
      record.family == "collective" ? positive(record, "calls_per_sample").value_or(1.0) : 1.0;
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

// Throws for what gives no figure at all; derive_guarded makes a remark of it.
void derive_metrics(Record& record) {
  std::vector<Summary> told = imported_summaries(record);
  record.summaries.clear();
  for (const auto& series : record.series) {
    const bool is_told = std::any_of(told.begin(), told.end(),
                                     [&](const Summary& s) { return s.series == series.name; });
    if (!is_told) record.summaries.push_back(summarize(series));
  }
  std::move(told.begin(), told.end(), std::back_inserter(record.summaries));
  const Summary* time = usable_summary(record, "time_s");
  if (time == nullptr) throw std::runtime_error("no samples in series 'time_s'");
  if (!std::isfinite(time->median) || time->median <= 0) {
    throw std::runtime_error(
        fmt::format("a median time of {} s is not a measurement", number_text("{}", time->median)));
  }
  for (const Family& family : kFamilies) {
    if (family.name != record.family) continue;
    family.derive(record, Summary(*time));
    derive_energy(record);
    if (!record.perf_valid) withhold_performance(record);
    return;
  }
  throw std::runtime_error(fmt::format(
      "family '{}', expected collective | kernel | groups | overlap | step", record.family));
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

}  // namespace stepmark
