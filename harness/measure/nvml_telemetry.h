// SPDX-License-Identifier: Apache-2.0
// NVIDIA GPUs through NVML (libnvidia-ml.so.1 of the driver, or the file that STEPMARK_NVML_LIBRARY
// names). Where there is none, there is no telemetry and there are no facts: nothing fails.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/measure/telemetry.h"
#include "results/record/environment.h"

namespace stepmark {

struct NvmlTarget {
  // "0000:1b:00.0", as cudaDeviceGetPCIBusId says; it names the GPU whatever CUDA_VISIBLE_DEVICES
  // makes of the order.
  std::string pci_bus_id;
  int ordinal = 0;  // used when pci_bus_id is empty; NVML's own order
};

// A thread that asks the GPU every `interval_s` between begin() and end(). Null where NVML or the
// GPU is missing; `why`, when given, then says so.
[[nodiscard]] std::unique_ptr<Telemetry> make_nvml_telemetry(const NvmlTarget& target,
                                                             double interval_s = 0.02,
                                                             std::string* why = nullptr);

// What the driver calls the GPU, and its memory: what GPUs are known by. Nothing where NVML does
// not say either.
struct NvmlIdentity {
  std::string name;
  std::int64_t memory_mib = 0;
};
[[nodiscard]] std::optional<NvmlIdentity> nvml_identity(const NvmlTarget& target = {});

// Driver, GPU name, power limit, ECC, persistence, highest clocks, PCIe, NVLinks; group "hardware"
// or "software". All but the PCIe width in use are part of the fingerprint.
[[nodiscard]] std::vector<EnvironmentFact> nvml_facts(const NvmlTarget& target = {});

}  // namespace stepmark
