// SPDX-License-Identifier: Apache-2.0
// The CPU quota that a container is held to. Internal to harness/measure.
#pragma once

#include <optional>
#include <string>

namespace stepmark {

// Cores' worth of CPU time that this process's control group and its parents allow, the smallest of
// them; nothing where there is no limit. `root` is the file system's, replaceable in tests. Reads
// version 2 (cpu.max) and version 1 (cpu.cfs_quota_us) of the kernel's interface.
[[nodiscard]] std::optional<double> cgroup_cpu_limit(const std::string& root = "");

}  // namespace stepmark
