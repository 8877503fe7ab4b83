// SPDX-License-Identifier: Apache-2.0
// Names of facts that a record of any family may have; those of one family are in
// results/families/NAME.h. A name is written here and nowhere else: who measures and who reads use
// it. Meanings: docs/file-formats.md. Depends on nothing.
#pragma once

namespace stepmark::facts {

inline constexpr const char* kTitle = "title";  // the case in short, as tables show it
inline constexpr const char* kDtype = "dtype";
inline constexpr const char* kMode = "mode";
inline constexpr const char* kRanks = "ranks";
inline constexpr const char* kCluster = "cluster";  // that the run was told it is on

// The library that moves data, and what it told of itself.
inline constexpr const char* kLibrary = "library";
inline constexpr const char* kTopology = "topology";
inline constexpr const char* kAlgorithm = "algorithm";
inline constexpr const char* kProtocol = "protocol";
inline constexpr const char* kChannels = "channels";
inline constexpr const char* kLibraryPrefix = "library_";

// How the time was sampled. Series: seconds of each sample, the maximum over ranks.
inline constexpr const char* kTimeS = "time_s";
inline constexpr const char* kWarmup = "warmup";
inline constexpr const char* kIterations = "iterations";
inline constexpr const char* kStopped = "stopped";

// Why a library that should have computed did not.
inline constexpr const char* kEnginesRefused = "engines_refused";

// What devices said of themselves meanwhile.
inline constexpr const char* kPowerW = "gpu_power_w";
inline constexpr const char* kPowerWMax = "gpu_power_w_max";
inline constexpr const char* kPowerWSum = "gpu_power_w_sum";
inline constexpr const char* kPowerLimitW = "gpu_power_limit_w";
inline constexpr const char* kPowerSource = "gpu_power_source";
inline constexpr const char* kSmClockMhz = "gpu_sm_clock_mhz";
inline constexpr const char* kSmClockMhzMin = "gpu_sm_clock_mhz_min";
inline constexpr const char* kMemoryClockMhz = "gpu_memory_clock_mhz";
inline constexpr const char* kMemoryClockMhzMin = "gpu_memory_clock_mhz_min";
inline constexpr const char* kTemperatureCMax = "gpu_temperature_c_max";
inline constexpr const char* kEccCorrected = "gpu_ecc_corrected";
inline constexpr const char* kEccUncorrected = "gpu_ecc_uncorrected";
inline constexpr const char* kThrottleReasons = "throttle_reasons";
inline constexpr const char* kEnergyJ = "energy_j";
inline constexpr const char* kJoulesPerSample = "joules_per_sample";
inline constexpr const char* kTelemetryS = "telemetry_s";
inline constexpr const char* kTelemetrySamples = "telemetry_samples";

}  // namespace stepmark::facts
