// SPDX-License-Identifier: Apache-2.0
// The peak goes into the record with its source and the power it is specified at, or the reason why
// there is none. A GPU that is capped below that power is labelled: its MFU is of another machine.
#include "harness/cases/peak_record.h"
#include "results/families/step.h"
#include "results/record/common_facts.h"

#include <fmt/format.h>

namespace stepmark {

void add_peak_reference(Record& record, const PeakReference& reference, DType dtype) {
  if (!reference.cluster.empty()) record.texts.emplace_back(facts::kCluster, reference.cluster);
  const auto peak = reference.peaks.flops_per_s(dtype);
  if (!peak) {
    record.texts.emplace_back(
        "peak_unknown", reference.source.empty()
                            ? reference.unknown
                            : fmt::format("{} gives none of {}", reference.source, name_of(dtype)));
    return;
  }
  record.numbers.emplace_back(facts::step::kPeakFlopsPerS, *peak);
  record.texts.emplace_back(facts::step::kPeakSource, reference.source);
  const auto add = [&](const char* name, double value) {
    if (value > 0) record.numbers.emplace_back(name, value);
  };
  add(facts::step::kPeakPowerW, reference.power_w);
  add(facts::step::kPeakSmClockMhz, reference.sm_clock_mhz);
}

void add_power_cap(Record& record, const PeakReference& reference) {
  const auto limit = record.number(facts::kPowerLimitW);
  if (!limit || reference.power_w <= 0 || *limit >= reference.power_w) return;
  record.labels.push_back(
      fmt::format("power cap {:g} W, the peak is specified at {:g} W", *limit, reference.power_w));
}

}  // namespace stepmark
