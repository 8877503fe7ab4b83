// SPDX-License-Identifier: Apache-2.0
// Merging over ranks takes a device once, by its id, and the worst value of each kind; energy only
// where every device tells it. Names in JSON and fields are one table.
#include "harness/measure/telemetry.h"

#include <algorithm>
#include <array>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

namespace stepmark {
namespace {

using Field = std::optional<double> TelemetrySummary::*;
constexpr std::array<std::pair<const char*, Field>, 11> kFields{
    {{"power_mean_w", &TelemetrySummary::power_mean_w},
     {"power_max_w", &TelemetrySummary::power_max_w},
     {"power_limit_w", &TelemetrySummary::power_limit_w},
     {"sm_clock_min_mhz", &TelemetrySummary::sm_clock_min_mhz},
     {"sm_clock_median_mhz", &TelemetrySummary::sm_clock_median_mhz},
     {"memory_clock_min_mhz", &TelemetrySummary::memory_clock_min_mhz},
     {"memory_clock_median_mhz", &TelemetrySummary::memory_clock_median_mhz},
     {"temperature_max_c", &TelemetrySummary::temperature_max_c},
     {"ecc_corrected", &TelemetrySummary::ecc_corrected},
     {"ecc_uncorrected", &TelemetrySummary::ecc_uncorrected},
     {"energy_j", &TelemetrySummary::energy_j}}};

template <class Better>
void keep(std::optional<double>& target, const std::optional<double>& value, Better better) {
  if (value && (!target || better(*value, *target))) target = value;
}

void add(std::optional<double>& target, const std::optional<double>& value) {
  if (value) target = target.value_or(0.0) + *value;
}

}  // namespace

bool is_throttling(const std::string& reason) {
  constexpr std::array<std::string_view, 5> kReasons{"hw power brake", "hw slowdown",
                                                     "hw thermal slowdown", "sw power cap",
                                                     "sw thermal slowdown"};
  return std::find(kReasons.begin(), kReasons.end(), reason) != kReasons.end();
}

nlohmann::json to_json(const TelemetrySummary& summary) {
  nlohmann::json json{{"device", summary.device},
                      {"power_source", summary.power_source},
                      {"seconds", summary.seconds},
                      {"samples", summary.samples},
                      {"throttle_reasons", summary.throttle_reasons}};
  for (const auto& [name, field] : kFields) {
    if (summary.*field) json[name] = *(summary.*field);
  }
  return json;
}

TelemetrySummary telemetry_from_json(const nlohmann::json& json) {
  TelemetrySummary summary;
  summary.device = json.at("device").get<std::string>();
  summary.power_source = json.at("power_source").get<std::string>();
  summary.seconds = json.at("seconds").get<double>();
  summary.samples = json.at("samples").get<int>();
  summary.throttle_reasons = json.at("throttle_reasons").get<std::vector<std::string>>();
  for (const auto& [name, field] : kFields) {
    if (json.contains(name)) summary.*field = json.at(name).get<double>();
  }
  return summary;
}

WorldTelemetry merge(std::span<const TelemetrySummary> ranks) {
  WorldTelemetry world;
  std::set<std::string> devices;
  std::set<std::string> reasons;
  std::set<std::string> sources;
  bool all_energy = true;
  TelemetrySummary& worst = world.worst;
  for (const TelemetrySummary& rank : ranks) {
    if (!rank.device.empty() && !devices.insert(rank.device).second) continue;
    ++world.devices;
    worst.seconds = std::max(worst.seconds, rank.seconds);
    worst.samples += rank.samples;
    keep(worst.power_mean_w, rank.power_mean_w, std::greater<>());
    keep(worst.power_max_w, rank.power_max_w, std::greater<>());
    keep(worst.power_limit_w, rank.power_limit_w, std::less<>());
    keep(worst.sm_clock_min_mhz, rank.sm_clock_min_mhz, std::less<>());
    keep(worst.sm_clock_median_mhz, rank.sm_clock_median_mhz, std::less<>());
    keep(worst.memory_clock_min_mhz, rank.memory_clock_min_mhz, std::less<>());
    keep(worst.memory_clock_median_mhz, rank.memory_clock_median_mhz, std::less<>());
    keep(worst.temperature_max_c, rank.temperature_max_c, std::greater<>());
    add(worst.ecc_corrected, rank.ecc_corrected);
    add(worst.ecc_uncorrected, rank.ecc_uncorrected);
    add(worst.energy_j, rank.energy_j);
    all_energy = all_energy && rank.energy_j.has_value();
    world.power_sum_mean_w += rank.power_mean_w.value_or(0.0);
    reasons.insert(rank.throttle_reasons.begin(), rank.throttle_reasons.end());
    if (!rank.power_source.empty()) sources.insert(rank.power_source);
  }
  if (!all_energy) worst.energy_j.reset();
  worst.throttle_reasons.assign(reasons.begin(), reasons.end());
  for (const std::string& source : sources) {
    worst.power_source += (worst.power_source.empty() ? "" : "; ") + source;
  }
  return world;
}

}  // namespace stepmark
