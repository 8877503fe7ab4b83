// SPDX-License-Identifier: Apache-2.0
// The part of NVML that stepmark calls, declared by hand: nvml.h is not in every toolkit, and the
// library belongs to the driver and is opened while running. Names, signatures and values are those
// of NVIDIA's "NVML API Reference Guide" (NVML API versions 2 suffixes where it has them). Internal
// to harness/measure and its tests.
#pragma once

#include <string>

#include "core/shared_library.h"

namespace stepmark::nvml {

using Return = int;  // nvmlReturn_t
inline constexpr Return kSuccess = 0;
inline constexpr Return kNotSupported = 3;

using Device = struct DeviceTag*;  // nvmlDevice_t
struct Memory {                    // nvmlMemory_t, bytes
  unsigned long long total, free, used;
};
inline constexpr int kClockSm = 1;                   // NVML_CLOCK_SM
inline constexpr int kClockMemory = 2;               // NVML_CLOCK_MEM
inline constexpr int kTemperatureGpu = 0;            // NVML_TEMPERATURE_GPU
inline constexpr int kEccCorrected = 0;              // NVML_MEMORY_ERROR_TYPE_CORRECTED
inline constexpr int kEccUncorrected = 1;            // NVML_MEMORY_ERROR_TYPE_UNCORRECTED
inline constexpr int kEccVolatile = 0;               // NVML_VOLATILE_ECC
inline constexpr unsigned kFieldPowerInstant = 186;  // NVML_FI_DEV_POWER_INSTANT, milliwatts
struct FieldValue {                                  // nvmlFieldValue_t
  unsigned field = 0, scope = 0;
  long long timestamp_us = 0, latency_us = 0;
  int type = 0;       // nvmlValueType_t, of `value`
  Return status = 0;  // of this field
  union {             // nvmlValue_t
    double as_double;
    unsigned as_unsigned;
    unsigned long long as_unsigned_long;
  } value{};
};
inline constexpr unsigned kTextBytes = 96;   // over every NVML_*_BUFFER_SIZE used here
inline constexpr unsigned kMaxNvlinks = 18;  // NVML_NVLINK_MAX_LINKS

// nvmlClocksEventReasons: bits of nvmlDeviceGetCurrentClocksThrottleReasons.
inline constexpr unsigned long long kReasonIdle = 0x1;
inline constexpr unsigned long long kReasonApplicationClocks = 0x2;
inline constexpr unsigned long long kReasonSwPowerCap = 0x4;
inline constexpr unsigned long long kReasonHwSlowdown = 0x8;
inline constexpr unsigned long long kReasonSyncBoost = 0x10;
inline constexpr unsigned long long kReasonSwThermal = 0x20;
inline constexpr unsigned long long kReasonHwThermal = 0x40;
inline constexpr unsigned long long kReasonHwPowerBrake = 0x80;
inline constexpr unsigned long long kReasonDisplayClock = 0x100;

// X(type, name): the functions by type. Those of a library that lacks one stay null.
#define STEPMARK_NVML_FUNCTIONS(X)                                                  \
  X(Return(), nvmlInit_v2)                                                          \
  X(Return(), nvmlShutdown)                                                         \
  X(Return(char*, unsigned), nvmlSystemGetDriverVersion)                            \
  X(Return(unsigned, Device*), nvmlDeviceGetHandleByIndex_v2)                       \
  X(Return(const char*, Device*), nvmlDeviceGetHandleByPciBusId_v2)                 \
  X(Return(Device, char*, unsigned), nvmlDeviceGetName)                             \
  X(Return(Device, char*, unsigned), nvmlDeviceGetUUID)                             \
  X(Return(Device, Memory*), nvmlDeviceGetMemoryInfo)                               \
  X(Return(Device, unsigned*), nvmlDeviceGetPowerUsage)                             \
  X(Return(Device, int, FieldValue*), nvmlDeviceGetFieldValues)                     \
  X(Return(Device, unsigned*), nvmlDeviceGetEnforcedPowerLimit)                     \
  X(Return(Device, unsigned long long*), nvmlDeviceGetTotalEnergyConsumption)       \
  X(Return(Device, int, unsigned*), nvmlDeviceGetClockInfo)                         \
  X(Return(Device, int, unsigned*), nvmlDeviceGetMaxClockInfo)                      \
  X(Return(Device, int, unsigned*), nvmlDeviceGetTemperature)                       \
  X(Return(Device, unsigned long long*), nvmlDeviceGetCurrentClocksThrottleReasons) \
  X(Return(Device, unsigned long long*), nvmlDeviceGetCurrentClocksEventReasons)    \
  X(Return(Device, int, int, unsigned long long*), nvmlDeviceGetTotalEccErrors)     \
  X(Return(Device, int*, int*), nvmlDeviceGetEccMode)                               \
  X(Return(Device, int*), nvmlDeviceGetPersistenceMode)                             \
  X(Return(Device, unsigned*), nvmlDeviceGetMaxPcieLinkGeneration)                  \
  X(Return(Device, unsigned*), nvmlDeviceGetMaxPcieLinkWidth)                       \
  X(Return(Device, unsigned*), nvmlDeviceGetCurrPcieLinkWidth)                      \
  X(Return(Device, unsigned, int*), nvmlDeviceGetNvLinkState)

// The library, initialised from construction to destruction; false where it cannot be.
class Library {
 public:
  Library();
  ~Library();
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  explicit operator bool() const { return ready_; }
  [[nodiscard]] const std::string& error() const { return error_; }
  // The GPU with this PCI bus id, or with this number where the id is empty; null when there is
  // none. Numbers are NVML's: CUDA_VISIBLE_DEVICES does not change them.
  [[nodiscard]] Device find(const std::string& pci_bus_id, int ordinal) const;

#define STEPMARK_NVML_MEMBER(type, name) std::add_pointer_t<type> name = nullptr;
  STEPMARK_NVML_FUNCTIONS(STEPMARK_NVML_MEMBER)
#undef STEPMARK_NVML_MEMBER

 private:
  SharedLibrary library_;
  bool ready_ = false;
  std::string error_;
};

}  // namespace stepmark::nvml
