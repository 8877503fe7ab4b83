// SPDX-License-Identifier: Apache-2.0
// What this process was given, as it was before any runtime could change it: OpenMP's library binds
// the first thread while it is loaded (OMP_PROC_BIND), MPI and NCCL set variables of their own.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "harness/measure/cgroup_limit.h"
#include "results/record/environment.h"

namespace stepmark {

struct ProcessStart {
  std::vector<int> cpus;                   // that it may run on, ascending; empty: unknown
  std::vector<int> launcher_cpus;          // the same of its parent: what a launcher did not give
  std::optional<CpuQuota> quota;           // of its control group
  std::vector<EnvironmentFact> variables;  // that are recorded, in the order of their names
};

// The mask of CPUs is read before the libraries' own start-up code, everything else at the first
// call, which belongs at the beginning of main.
const ProcessStart& process_start();

// Gives this thread the CPUs that the process began with, for a program that takes its place.
void restore_first_mask();

// Numbers of the bits that are set, the lowest bit of the first byte being 0; any number of CPUs.
[[nodiscard]] std::vector<int> cpus_of_mask(std::span<const unsigned char> mask);
// "0-3,8": the kernel's form of a list of CPUs; and back. Nothing for any other text.
[[nodiscard]] std::string cpu_list(std::span<const int> cpus);
[[nodiscard]] std::optional<std::vector<int>> parse_cpu_list(std::string_view text);

// Variables of the environment as it is now that are recorded.
[[nodiscard]] std::vector<EnvironmentFact> recorded_variables();

}  // namespace stepmark
