// SPDX-License-Identifier: Apache-2.0
// What a rank may use of its host.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/control.h"

namespace stepmark {

struct Resources {
  int cores = 1;                // CPUs that this process may run on
  int launcher_cores = 1;       // ... that its launcher may: more when it bound this process
  std::optional<double> quota;  // cores' worth of CPU time of its control group
  int compute_threads = 1;      // per rank: its own cores when ranks are bound, else an equal share
  bool oversubscribed = false;  // more threads than CPUs or CPU time, on any host
  std::string unused;           // "1 of 2 CPUs used"; empty: all are
  std::vector<std::string> remarks;  // what is wrong with the cores, and what to do
  std::int64_t memory_bytes = 0;     // available on the host, less a reserve; 0: unknown
};

// Collective: ranks of a host compare the cores they are bound to and the quotas they share.
// OMP_NUM_THREADS overrides the threads. All but `memory_bytes` and what belongs to this process
// alone is the same on every rank.
[[nodiscard]] Resources share_resources(Control& control);

// The first level of OMP_NUM_THREADS ("4" and "4,2" are 4); 0 for anything else.
[[nodiscard]] int threads_wanted(const std::string& omp_num_threads);

}  // namespace stepmark
