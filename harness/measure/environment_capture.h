// SPDX-License-Identifier: Apache-2.0
// Reads the machine: CPU model, cores, memory, caches and NUMA (hwloc), kernel, governor, load,
// binary hash (SHA-256 of /proc/self/exe), build and git state, allow-listed environment variables.
// Never the whole environment: it holds secrets. What the machine does not tell is left out.
#pragma once

#include <string_view>
#include <vector>

#include "results/record/environment.h"

namespace stepmark {

// Variables that change performance and hold no secrets: exact names and prefixes (OMP_, NCCL_,
// OMPI_MCA_, UCX_, FI_, ...), minus names that contain KEY, TOKEN, SECRET, PASS, CREDENTIAL, AUTH,
// minus what a launcher sets anew for every job (addresses, job numbers, session folders).
[[nodiscard]] bool variable_is_recorded(std::string_view name);

// Facts of this process, followed by `extra` (of libraries that this folder does not link).
[[nodiscard]] Environment capture_environment(std::vector<EnvironmentFact> extra = {});

}  // namespace stepmark
