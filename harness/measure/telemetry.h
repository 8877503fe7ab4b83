// SPDX-License-Identifier: Apache-2.0
// What a device says of itself while a case is sampled: power, clocks, temperature, what slowed it
// down, errors of its memory, energy. Whatever it does not tell is absent; telemetry never fails a
// run.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace stepmark {

// Of one device between begin() and end().
struct TelemetrySummary {
  std::string device;  // unique in the world; empty: unknown
  double seconds = 0;
  int samples = 0;
  std::optional<double> power_mean_w, power_max_w;
  std::string power_source;  // how power was read, or why it is not given; empty: unknown
  std::optional<double> power_limit_w;  // enforced; the lowest of begin and end
  std::optional<double> sm_clock_min_mhz, sm_clock_median_mhz;
  std::optional<double> memory_clock_min_mhz, memory_clock_median_mhz;
  std::optional<double> temperature_max_c;
  std::vector<std::string> throttle_reasons;  // seen at least once; sorted
  // Errors of the device's memory in this window (volatile counters).
  std::optional<double> ecc_corrected, ecc_uncorrected;
  std::optional<double> energy_j;  // from the device's own counter
};

class Telemetry {
 public:
  virtual ~Telemetry() = default;
  virtual void begin() = 0;
  [[nodiscard]] virtual TelemetrySummary end() = 0;
};

// The reasons that mean "slower than the device could be", as opposed to idle or set by an
// administrator.
[[nodiscard]] bool is_throttling(const std::string& reason);

[[nodiscard]] nlohmann::json to_json(const TelemetrySummary& summary);
[[nodiscard]] TelemetrySummary telemetry_from_json(const nlohmann::json& json);

// Of all ranks: energy, errors and power are summed over devices (ranks that share one count it
// once), else the worst of any. Energy is absent when a device did not tell its own.
struct WorldTelemetry {
  TelemetrySummary worst;       // power: of the device with the highest
  double power_sum_mean_w = 0;  // 0: unknown
  int devices = 0;
};
[[nodiscard]] WorldTelemetry merge(std::span<const TelemetrySummary> ranks);

}  // namespace stepmark
