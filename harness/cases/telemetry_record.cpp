// SPDX-License-Identifier: Apache-2.0
// Summaries of all ranks, gathered as JSON, become the facts of the world's worst device. Energy
// over a window so short that the counter's steps would show is left out, with a label.
#include "harness/cases/telemetry_record.h"
#include "results/record/common_facts.h"

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
  record.numbers.emplace_back(facts::kEnergyJ, *all.energy_j);
  record.numbers.emplace_back(facts::kJoulesPerSample, *all.energy_j / iterations);
}

void add_throttling(Record& record, const std::vector<std::string>& reasons) {
  if (reasons.empty()) return;
  record.texts.emplace_back(facts::kThrottleReasons, fmt::format("{}", fmt::join(reasons, ", ")));
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
  add(facts::kPowerW, all.power_mean_w);
  add(facts::kPowerWMax, all.power_max_w);
  if (world.power_sum_mean_w > 0) add(facts::kPowerWSum, world.power_sum_mean_w);
  add(facts::kPowerLimitW, all.power_limit_w);
  add(facts::kSmClockMhz, all.sm_clock_median_mhz);
  add(facts::kSmClockMhzMin, all.sm_clock_min_mhz);
  add(facts::kMemoryClockMhz, all.memory_clock_median_mhz);
  add(facts::kMemoryClockMhzMin, all.memory_clock_min_mhz);
  add(facts::kTemperatureCMax, all.temperature_max_c);
  add(facts::kEccCorrected, all.ecc_corrected);
  add(facts::kEccUncorrected, all.ecc_uncorrected);
  if (!all.power_source.empty()) record.texts.emplace_back(facts::kPowerSource, all.power_source);
  add(facts::kTelemetryS, all.seconds);
  add(facts::kTelemetrySamples, all.samples);
  add_energy(record, all, iterations);
  add_throttling(record, all.throttle_reasons);
  if (all.ecc_uncorrected.value_or(0) > 0) {
    record.labels.push_back(
        fmt::format("{:g} uncorrected errors of GPU memory", *all.ecc_uncorrected));
  }
}

}  // namespace stepmark
