// SPDX-License-Identifier: Apache-2.0
#include "harness/cases/peak_record.h"

#include <fmt/format.h>

namespace stepmark {

void add_peak_reference(Record& record, const PeakReference& reference, DType dtype) {
  if (!reference.cluster.empty()) record.texts.emplace_back("cluster", reference.cluster);
  const auto peak = reference.peaks.flops_per_s(dtype);
  if (!peak) {
    record.texts.emplace_back(
        "peak_unknown", reference.source.empty()
                            ? reference.unknown
                            : fmt::format("{} gives none of {}", reference.source, name_of(dtype)));
    return;
  }
  record.numbers.emplace_back("peak_flops_per_s", *peak);
  record.texts.emplace_back("peak_source", reference.source);
  const auto add = [&](const char* name, double value) {
    if (value > 0) record.numbers.emplace_back(name, value);
  };
  add("peak_specified_power_w", reference.power_w);
  add("peak_specified_sm_clock_mhz", reference.sm_clock_mhz);
}

void add_power_cap(Record& record, const PeakReference& reference) {
  const auto limit = record.number("gpu_power_limit_w");
  if (!limit || reference.power_w <= 0 || *limit >= reference.power_w) return;
  record.labels.push_back(
      fmt::format("power cap {:g} W, the peak is specified at {:g} W", *limit, reference.power_w));
}

}  // namespace stepmark
