// SPDX-License-Identifier: Apache-2.0
// dlopen of the driver's library and its symbols by one list; a missing function stays null and its
// fact absent. Devices are found by PCI bus id, as NVML and CUDA may count them in different
// orders.
#include "harness/measure/nvml.h"

#include <fmt/format.h>

namespace stepmark::nvml {

Library::Library()
    : library_(SharedLibrary::open(
          {.variable = "STEPMARK_NVML_LIBRARY", .names = {"libnvidia-ml.so.1"}})) {
  if (!library_) {
    error_ = library_.error();
    return;
  }
#define STEPMARK_NVML_BIND(type, name) name = library_.symbol<type>(#name);
  STEPMARK_NVML_FUNCTIONS(STEPMARK_NVML_BIND)
#undef STEPMARK_NVML_BIND
  // The same under the name that NVML gave it later.
  if (nvmlDeviceGetCurrentClocksThrottleReasons == nullptr) {
    nvmlDeviceGetCurrentClocksThrottleReasons = nvmlDeviceGetCurrentClocksEventReasons;
  }
  if (nvmlInit_v2 == nullptr || nvmlShutdown == nullptr) {
    error_ = fmt::format("{} is no NVML: it has no nvmlInit_v2", library_.path());
    return;
  }
  const Return status = nvmlInit_v2();
  ready_ = status == kSuccess;
  if (!ready_) error_ = fmt::format("nvmlInit_v2 of {} returned {}", library_.path(), status);
}

Library::~Library() {
  if (ready_) nvmlShutdown();
}

Device Library::find(const std::string& pci_bus_id, int ordinal) const {
  Device device = nullptr;
  if (!ready_) return nullptr;
  if (!pci_bus_id.empty()) {
    if (nvmlDeviceGetHandleByPciBusId_v2 == nullptr ||
        nvmlDeviceGetHandleByPciBusId_v2(pci_bus_id.c_str(), &device) != kSuccess) {
      return nullptr;
    }
    return device;
  }
  if (ordinal < 0 || nvmlDeviceGetHandleByIndex_v2 == nullptr ||
      nvmlDeviceGetHandleByIndex_v2(static_cast<unsigned>(ordinal), &device) != kSuccess) {
    return nullptr;
  }
  return device;
}

}  // namespace stepmark::nvml
