// SPDX-License-Identifier: Apache-2.0
// What `doctor` says of this host's CPUs and of its name. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "harness/cli/finding.h"
#include "harness/cli/resources.h"

namespace stepmark {

// CPUs that this process may use, those that its launcher keeps from it, and the quota on CPU time,
// for `ranks` that shall run on this host.
[[nodiscard]] std::vector<Finding> core_findings(const Resources& resources, int ranks);

// Open MPI 4 starts no job on a host whose name has other characters than ASCII letters, digits,
// dots and hyphens. `name` as the kernel has it: any bytes.
[[nodiscard]] Finding host_name_finding(const std::string& name, int ranks);

}  // namespace stepmark
