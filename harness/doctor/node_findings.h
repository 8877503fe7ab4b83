// SPDX-License-Identifier: Apache-2.0
// What MPI and NCCL want of a host besides GPUs: shared memory, the loopback interface, limits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/doctor/finding.h"

namespace stepmark {

struct NodeFacts {
  std::optional<double> shm_free_bytes;       // of /dev/shm; nothing: it is missing
  std::string memory_attach = "works";        // between processes, as MPI copies; or why not
  bool loopback_up = false;                   // interface lo
  std::optional<double> locked_memory_bytes;  // soft limit; nothing: unlimited
  std::uint64_t open_files = 0;               // soft limit
};

[[nodiscard]] NodeFacts probe_node();
[[nodiscard]] std::vector<Finding> node_findings(const NodeFacts& facts, bool have_gpus);

}  // namespace stepmark
