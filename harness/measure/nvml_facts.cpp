// SPDX-License-Identifier: Apache-2.0
// What does not change while a GPU is measured: name, limits, highest clocks, ECC, links. Each is
// asked by itself, and what the library does not tell is left out.
#include <fmt/format.h>

#include <array>
#include <utility>

#include "harness/measure/nvml.h"
#include "harness/measure/nvml_telemetry.h"

namespace stepmark {
namespace {

class Facts {
 public:
  Facts(const nvml::Library& library, nvml::Device device) : nvml_(library), device_(device) {}

  void text(const char* section, const char* name, const std::string& value,
            bool fingerprint = true) {
    if (value.empty()) return;
    facts_.push_back(
        {.section = section, .name = name, .value = value, .fingerprint = fingerprint});
  }
  // `format` has one place for the value divided by `scale`.
  template <class Function, class... Arguments>
  void number(const char* name, const char* format, double scale, bool fingerprint,
              const Function& function, Arguments... arguments) {
    unsigned value = 0;
    if (function == nullptr || function(device_, arguments..., &value) != nvml::kSuccess) return;
    text("hardware", name, fmt::format(fmt::runtime(format), value / scale), fingerprint);
  }
  void link_count() {
    if (nvml_.nvmlDeviceGetNvLinkState == nullptr) return;
    int active = 0;
    bool known = false;
    for (unsigned link = 0; link < nvml::kMaxNvlinks; ++link) {
      int state = 0;
      if (nvml_.nvmlDeviceGetNvLinkState(device_, link, &state) != nvml::kSuccess) continue;
      known = true;
      active += state != 0 ? 1 : 0;
    }
    if (known) text("hardware", "GPU NVLinks", fmt::format("{}", active));
  }
  [[nodiscard]] std::vector<EnvironmentFact> take() { return std::move(facts_); }

 private:
  const nvml::Library& nvml_;
  nvml::Device device_;
  std::vector<EnvironmentFact> facts_;
};

std::string on_or_off(int value) { return value != 0 ? "on" : "off"; }

// Empty where the library does not tell.
std::string name_of(const nvml::Library& nvml, nvml::Device device) {
  std::array<char, nvml::kTextBytes> text{};
  const bool told = nvml.nvmlDeviceGetName != nullptr &&
                    nvml.nvmlDeviceGetName(device, text.data(), nvml::kTextBytes) == nvml::kSuccess;
  return told ? text.data() : "";
}

}  // namespace

std::optional<NvmlIdentity> nvml_identity(const NvmlTarget& target) {
  const nvml::Library nvml;
  const nvml::Device device = nvml.find(target.pci_bus_id, target.ordinal);
  nvml::Memory memory{};
  if (device == nullptr || nvml.nvmlDeviceGetMemoryInfo == nullptr ||
      nvml.nvmlDeviceGetMemoryInfo(device, &memory) != nvml::kSuccess) {
    return std::nullopt;
  }
  NvmlIdentity identity{.name = name_of(nvml, device),
                        .memory_mib = static_cast<std::int64_t>(memory.total >> 20)};
  if (identity.name.empty()) return std::nullopt;
  return identity;
}

std::vector<EnvironmentFact> nvml_facts(const NvmlTarget& target) {
  const nvml::Library nvml;
  const nvml::Device device = nvml.find(target.pci_bus_id, target.ordinal);
  if (device == nullptr) return {};
  Facts facts(nvml, device);
  std::array<char, nvml::kTextBytes> text{};
  facts.text("hardware", "GPU", name_of(nvml, device));
  if (nvml.nvmlSystemGetDriverVersion != nullptr &&
      nvml.nvmlSystemGetDriverVersion(text.data(), nvml::kTextBytes) == nvml::kSuccess) {
    facts.text("software", "NVIDIA driver", text.data());
  }
  facts.number("GPU power limit", "{:g} W", 1e3, true, nvml.nvmlDeviceGetEnforcedPowerLimit);
  facts.number("GPU highest SM clock", "{:g} MHz", 1, true, nvml.nvmlDeviceGetMaxClockInfo,
               nvml::kClockSm);
  facts.number("GPU highest memory clock", "{:g} MHz", 1, true, nvml.nvmlDeviceGetMaxClockInfo,
               nvml::kClockMemory);
  int current = 0;
  int pending = 0;
  if (nvml.nvmlDeviceGetEccMode != nullptr &&
      nvml.nvmlDeviceGetEccMode(device, &current, &pending) == nvml::kSuccess) {
    facts.text("hardware", "GPU ECC", on_or_off(current));
  }
  if (nvml.nvmlDeviceGetPersistenceMode != nullptr &&
      nvml.nvmlDeviceGetPersistenceMode(device, &current) == nvml::kSuccess) {
    facts.text("hardware", "GPU persistence mode", on_or_off(current));
  }
  facts.number("GPU PCIe generation", "{:g}", 1, true, nvml.nvmlDeviceGetMaxPcieLinkGeneration);
  facts.number("GPU PCIe lanes", "{:g}", 1, true, nvml.nvmlDeviceGetMaxPcieLinkWidth);
  // A slot may give fewer than the GPU has.
  facts.number("GPU PCIe lanes in use", "{:g}", 1, false, nvml.nvmlDeviceGetCurrPcieLinkWidth);
  facts.link_count();
  return facts.take();
}

}  // namespace stepmark
