// SPDX-License-Identifier: Apache-2.0
// An NVML with one scripted GPU at 0000:1b:00.0, and those of the emulated runtime, for tests: a
// shared library that STEPMARK_NVML_LIBRARY names. STEPMARK_EMULATED_GPU is their name (without
// what follows " MIG "), STEPMARK_EMULATED_GPU_MIB their memory, STEPMARK_EMULATED_POWER_LIMIT_W
// their power cap. Every question for power makes one step of the script:
//   power 300 W + 10 W a step up to 500 W at the instant, 200 W as the driver's mean; SM clock 1980
//   MHz, from step 3 on 1500 MHz with the throttle reason "sw power cap"; temperature 40 °C + 1 a
//   step; energy + 5 J a question; one corrected memory error a question.
// STEPMARK_EMULATED_NVML: words that take functions away: "no-init", "no-energy", "no-ecc",
// "no-power", "no-instant", "no-reasons", "no-memory", "counter-reset".
#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "harness/measure/nvml.h"

namespace {

using stepmark::nvml::Device;
using stepmark::nvml::Return;
namespace nvml = stepmark::nvml;

std::atomic<int> step{0};
std::atomic<unsigned long long> energy_mj{1'000'000};
std::atomic<unsigned long long> corrected{7};
constexpr int kMostGpus = 17;
int gpus[kMostGpus];  // addresses are handles; the first is the GPU that has no twin in CUDA

bool without(const char* word) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment meanwhile
  const char* words = std::getenv("STEPMARK_EMULATED_NVML");
  return words != nullptr && std::string(words).find(word) != std::string::npos;
}

Device handle(int index = 0) { return reinterpret_cast<Device>(&gpus[index]); }
bool is_handle(Device device) { return device >= handle() && device <= handle(kMostGpus - 1); }

std::string setting(const char* name, const char* otherwise) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment meanwhile
  const char* value = std::getenv(name);
  return value != nullptr ? value : otherwise;
}

constexpr Return kInvalidArgument = 2;
constexpr Return kNotFound = 6;

template <class Value, class Result>
Return give(Device device, Value value, Result* result) {
  if (!is_handle(device) || result == nullptr) return kInvalidArgument;
  *result = static_cast<Result>(value);
  return nvml::kSuccess;
}

Return give_text(const char* text, char* result, unsigned bytes) {
  if (std::strlen(text) + 1 > bytes) return kInvalidArgument;
  std::strcpy(result, text);
  return nvml::kSuccess;
}

}  // namespace

extern "C" {

Return nvmlInit_v2() {
  step = 0;
  return without("no-init") ? 999 : nvml::kSuccess;
}
Return nvmlShutdown() { return nvml::kSuccess; }
Return nvmlSystemGetDriverVersion(char* text, unsigned bytes) {
  return give_text("999.99", text, bytes);
}
Return nvmlDeviceGetHandleByIndex_v2(unsigned index, Device* device) {
  if (index != 0) return kInvalidArgument;
  *device = handle();
  return nvml::kSuccess;
}
Return nvmlDeviceGetHandleByPciBusId_v2(const char* id, Device* device) {
  constexpr std::string_view kDomain = "0000:", kRest = ":00.0";
  const std::string_view text = id;
  if (!text.starts_with(kDomain) || !text.ends_with(kRest)) return kNotFound;
  unsigned bus = 0;
  constexpr int kHex = 16;
  const char* end = text.data() + text.size() - kRest.size();
  if (std::from_chars(text.data() + kDomain.size(), end, bus, kHex).ptr != end) return kNotFound;
  if (bus == 0x1b) {
    bus = 0;
  } else if (bus < 1 || bus >= static_cast<unsigned>(kMostGpus)) {
    return kNotFound;
  }
  *device = handle(static_cast<int>(bus));
  return nvml::kSuccess;
}
Return nvmlDeviceGetName(Device, char* text, unsigned bytes) {
  const std::string name = setting("STEPMARK_EMULATED_GPU", "Emulated GPU");
  return give_text(name.substr(0, name.find(" MIG ")).c_str(), text, bytes);
}
Return nvmlDeviceGetUUID(Device device, char* text, unsigned bytes) {
  const auto index = reinterpret_cast<int*>(device) - gpus;
  std::string id = "GPU-emulated";
  if (index > 0) id.append("-").append(std::to_string(index));
  return give_text(id.c_str(), text, bytes);
}
Return nvmlDeviceGetMemoryInfo(Device device, nvml::Memory* memory) {
  if (without("no-memory")) return nvml::kNotSupported;
  const auto mib = std::strtoull(setting("STEPMARK_EMULATED_GPU_MIB", "4096").c_str(), nullptr, 10);
  return give(device, nvml::Memory{mib << 20, mib << 20, 0}, memory);
}
Return nvmlDeviceGetPowerUsage(Device device, unsigned* mw) {
  if (without("no-power")) return nvml::kNotSupported;
  ++step;
  return give(device, 200'000, mw);
}
Return nvmlDeviceGetFieldValues(Device device, int count, nvml::FieldValue* values) {
  if (!is_handle(device) || count < 1) return kInvalidArgument;
  for (int i = 0; i < count; ++i) {
    nvml::FieldValue& one = values[i];
    const bool known =
        one.field == nvml::kFieldPowerInstant && !without("no-instant") && !without("no-power");
    one.status = known ? nvml::kSuccess : nvml::kNotSupported;
    if (known)
      one.value.as_unsigned = static_cast<unsigned>(std::min(500, 300 + 10 * step++) * 1000);
  }
  return nvml::kSuccess;  // of the call; each field has its own
}
Return nvmlDeviceGetEnforcedPowerLimit(Device device, unsigned* mw) {
  const auto watts = setting("STEPMARK_EMULATED_POWER_LIMIT_W", "700");
  return give(device, std::strtoul(watts.c_str(), nullptr, 10) * 1000, mw);
}
Return nvmlDeviceGetTotalEnergyConsumption(Device device, unsigned long long* mj) {
  if (without("no-energy")) return nvml::kNotSupported;
  if (without("counter-reset")) return give(device, energy_mj -= 5000, mj);
  return give(device, energy_mj += 5000, mj);
}
Return nvmlDeviceGetClockInfo(Device device, int clock, unsigned* mhz) {
  const int sm = step >= 3 ? 1500 : 1980;
  return give(device, clock == nvml::kClockSm ? sm : 2619, mhz);
}
Return nvmlDeviceGetMaxClockInfo(Device device, int clock, unsigned* mhz) {
  return give(device, clock == nvml::kClockSm ? 1980 : 2619, mhz);
}
Return nvmlDeviceGetTemperature(Device device, int, unsigned* celsius) {
  return give(device, 40 + step, celsius);
}
Return nvmlDeviceGetCurrentClocksThrottleReasons(Device device, unsigned long long* reasons) {
  if (without("no-reasons")) return nvml::kNotSupported;
  return give(device, step >= 3 ? nvml::kReasonSwPowerCap : nvml::kReasonIdle, reasons);
}
Return nvmlDeviceGetTotalEccErrors(Device device, int type, int, unsigned long long* count) {
  if (without("no-ecc")) return nvml::kNotSupported;
  return give(device, type == nvml::kEccCorrected ? ++corrected : 0ULL, count);
}
Return nvmlDeviceGetEccMode(Device device, int* current, int* pending) {
  if (without("no-ecc")) return nvml::kNotSupported;
  *pending = 1;
  return give(device, 1, current);
}
Return nvmlDeviceGetPersistenceMode(Device device, int* mode) { return give(device, 1, mode); }
Return nvmlDeviceGetMaxPcieLinkGeneration(Device device, unsigned* value) {
  return give(device, 5, value);
}
Return nvmlDeviceGetMaxPcieLinkWidth(Device device, unsigned* value) {
  return give(device, 16, value);
}
// nvmlDeviceGetCurrPcieLinkWidth is missing, as functions are in older libraries.
Return nvmlDeviceGetNvLinkState(Device device, unsigned link, int* active) {
  if (link >= 12) return kInvalidArgument;
  return give(device, link < 10 ? 1 : 0, active);
}
}
