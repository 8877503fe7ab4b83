// SPDX-License-Identifier: Apache-2.0
// What there is to say of this binary and of the host around it, GPUs and cores apart. Each looks
// for itself.
#pragma once

#include <string>

#include "harness/backend/resources.h"
#include "harness/doctor/finding.h"

namespace stepmark {

[[nodiscard]] Finding build_finding();
[[nodiscard]] Finding data_finding();  // the shipped workloads, suites and clusters
[[nodiscard]] Finding memory_finding(const Resources& resources);
[[nodiscard]] Finding mpi_finding();
[[nodiscard]] Finding governor_finding();
[[nodiscard]] Finding load_finding(const Resources& resources);
// As the kernel has it: any bytes.
[[nodiscard]] std::string kernel_host_name();

}  // namespace stepmark
