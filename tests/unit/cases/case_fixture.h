// SPDX-License-Identifier: Apache-2.0
// What a case needs to run in a test.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string_view>

#include "harness/cases/case.h"
#include "results/families/derive.h"

namespace stepmark::test {

// Says the same in every window.
class FixedTelemetry final : public Telemetry {
 public:
  explicit FixedTelemetry(TelemetrySummary summary) : summary_(std::move(summary)) {}
  void begin() override { ++begun; }
  TelemetrySummary end() override { return summary_; }
  int begun = 0;

 private:
  TelemetrySummary summary_;
};

inline TelemetrySummary watts(std::string device, double power, double joules) {
  TelemetrySummary out;
  out.device = std::move(device);
  out.seconds = 2;
  out.samples = 100;
  out.power_mean_w = power;
  out.sm_clock_min_mhz = 2000 - power;
  out.energy_j = joules;
  return out;
}

// The host device with one compute thread, and rules for a short case.
struct CaseBench {
  std::unique_ptr<Device> device = make_host_device(1);
  std::unique_ptr<Executor> executor = make_host_executor(*device);
  PeakReference reference;
  DevicePeaks peaks;

  [[nodiscard]] CaseContext context(Control& control, Comm& world) {
    return context(control, world, *executor);
  }
  [[nodiscard]] CaseContext context(Control& control, Comm& world, Executor& with) const {
    return {.control = control,
            .world = world,
            .executor = with,
            .reference = reference,
            .peaks = peaks,
            .rule = {.precision = 0.2,
                     .min_samples = 6,
                     .max_samples = 12,
                     .budget_s = 1.0,
                     .span_s = 0},
            .progress = {}};
  }
};

inline bool has_label(const Record& record, std::string_view part) {
  for (const std::string& label : record.labels) {
    if (label.find(part) != std::string::npos) return true;
  }
  return false;
}

// `record` as the command line completes and derives it.
inline Record completed(Record record, const Case& one) {
  record.case_id = one.id();
  record.family = std::string(one.family());
  if (record.outcome == Outcome::ok) derive(record);
  return record;
}

}  // namespace stepmark::test
