// SPDX-License-Identifier: Apache-2.0
// Reads the machine: CPU model, cores, memory, caches and NUMA (hwloc), kernel, governor, load,
// library versions, binary hash (SHA-256 of /proc/self/exe), build and git state, MPI, allow-listed
// environment variables. Never the whole environment: it holds secrets.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "results/record/environment.h"

namespace stepmark {

// Variables that change performance and hold no secrets: exact names and prefixes (OMP_, NCCL_,
// OMPI_MCA_, UCX_, FI_, ...), minus names that contain KEY, TOKEN, SECRET, PASS, CREDENTIAL, AUTH.
[[nodiscard]] bool variable_is_recorded(std::string_view name);
[[nodiscard]] Environment capture_environment();

}  // namespace stepmark
