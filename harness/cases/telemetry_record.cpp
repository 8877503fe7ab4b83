// SPDX-License-Identifier: Apache-2.0
#include "harness/cases/telemetry_record.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

namespace stepmark {
namespace {

// GPUs bring their energy counter up to date every 20 to 100 ms: a shorter window would show where
// its ends fell.
constexpr double kShortestEnergyWindow = 1.0;

void add_energy(Record& record, const TelemetrySummary& all, int iterations) {
  if (!all.energy_j || iterations <= 0) return;
  if (all.seconds < kShortestEnergyWindow) {
    record.labels.push_back(
        fmt::format("energy not given: window under {:g} s", kShortestEnergyWindow));
    return;
  }
  record.numbers.emplace_back("energy_j", *all.energy_j);
  record.numbers.emplace_back("joules_per_sample", *all.energy_j / iterations);
}

void add_throttling(Record& record, const std::vector<std::string>& reasons) {
  if (reasons.empty()) return;
  record.texts.emplace_back("throttle_reasons", fmt::format("{}", fmt::join(reasons, ", ")));
  std::vector<std::string> slowing;
  for (const std::string& reason : reasons) {
    if (is_throttling(reason)) slowing.push_back(reason);
  }
  if (!slowing.empty()) {
    record.labels.push_back(fmt::format("throttled: {}", fmt::join(slowing, ", ")));
  }
}

}  // namespace

void add_telemetry(Record& record, Control& control, const TelemetrySummary& own, int iterations) {
  std::vector<TelemetrySummary> ranks;
  for (const std::string& text : control.gather(to_json(own).dump())) {
    ranks.push_back(telemetry_from_json(nlohmann::json::parse(text)));
  }
  if (ranks.empty()) return;
  const WorldTelemetry world = merge(ranks);
  const TelemetrySummary& all = world.worst;
  if (all.samples == 0) return;
  const auto add = [&](const char* name, const std::optional<double>& value) {
    if (value) record.numbers.emplace_back(name, *value);
  };
  add("gpu_power_w", all.power_mean_w);
  add("gpu_power_w_max", all.power_max_w);
  if (world.power_sum_mean_w > 0) add("gpu_power_w_sum", world.power_sum_mean_w);
  add("gpu_power_limit_w", all.power_limit_w);
  add("gpu_sm_clock_mhz", all.sm_clock_median_mhz);
  add("gpu_sm_clock_mhz_min", all.sm_clock_min_mhz);
  add("gpu_memory_clock_mhz", all.memory_clock_median_mhz);
  add("gpu_memory_clock_mhz_min", all.memory_clock_min_mhz);
  add("gpu_temperature_c_max", all.temperature_max_c);
  add("gpu_ecc_corrected", all.ecc_corrected);
  add("gpu_ecc_uncorrected", all.ecc_uncorrected);
  if (!all.power_source.empty()) record.texts.emplace_back("gpu_power_source", all.power_source);
  add("telemetry_s", all.seconds);
  add("telemetry_samples", all.samples);
  add_energy(record, all, iterations);
  add_throttling(record, all.throttle_reasons);
  if (all.ecc_uncorrected.value_or(0) > 0) {
    record.labels.push_back(
        fmt::format("{:g} uncorrected errors of GPU memory", *all.ecc_uncorrected));
  }
}

}  // namespace stepmark
