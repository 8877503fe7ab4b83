// SPDX-License-Identifier: Apache-2.0
// What `doctor` says of this host's CPUs and of its name. Pure functions.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "harness/backend/resources.h"
#include "harness/doctor/finding.h"
#include "kernels/host/sets.h"

namespace stepmark {

// CPUs that this process may use, those that its launcher keeps from it, and the quota on CPU time,
// for `ranks` that shall run on this host.
[[nodiscard]] std::vector<Finding> core_findings(const Resources& resources, int ranks);

// The instruction set whose host kernels would compute here, of those in the binary; `wanted` is
// what STEPMARK_INSTRUCTION_SET asks for.
[[nodiscard]] Finding kernels_finding(std::span<const HostSet> sets,
                                      const std::optional<std::string>& wanted);

// Open MPI 4 starts no job on a host whose name has other characters than ASCII letters, digits,
// dots and hyphens. `name` as the kernel has it: any bytes.
[[nodiscard]] Finding host_name_finding(const std::string& name, int ranks);

}  // namespace stepmark
