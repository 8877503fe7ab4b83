// SPDX-License-Identifier: Apache-2.0
// The CPU quota that a container, a batch job or a service is held to.
#pragma once

#include <optional>
#include <string>

namespace stepmark {

struct CpuQuota {
  double cores = 0;   // CPU time per time, of all processes of the group together
  std::string group;  // whose limit that is, as the kernel names it: who shares it
};

// The smallest quota of this process's control group and its parents; nothing where there is no
// limit. `root` is the file system's, replaceable in tests. Reads version 2 (cpu.max) and version 1
// (cpu.cfs_quota_us) of the kernel's interface, wherever /proc/self/mountinfo says they are
// mounted.
[[nodiscard]] std::optional<CpuQuota> cgroup_cpu_quota(const std::string& root = "");

}  // namespace stepmark
