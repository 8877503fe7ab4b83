// SPDX-License-Identifier: Apache-2.0
// What the CUDA runtime says of the current device and of itself, for records and limits.
#pragma once

#include <cstdint>
#include <string>

namespace stepmark {

struct CudaFacts {
  std::string name;
  std::string pci_bus_id;      // "0000:1b:00.0": names the GPU to other libraries
  int compute_capability = 0;  // 90 for 9.0
  std::int64_t free_bytes = 0, total_bytes = 0;
  std::int64_t l2_bytes = 0;
  int runtime_version = 0;  // 13000 for 13.0
  int driver_version = 0;   // the newest CUDA that the driver supports
};

// Throws Error(kEnvironment) when CUDA does not work.
[[nodiscard]] CudaFacts cuda_facts();
// "13.0" for 13000.
[[nodiscard]] std::string cuda_version_text(int version);

}  // namespace stepmark
