// SPDX-License-Identifier: Apache-2.0
// The instruction sets that host kernels were compiled for, and the one that computes here.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "kernels/op.h"

namespace stepmark {

struct HostSet {
  std::string_view name;      // "x86-64-v3": what the compiler calls it
  bool runs_here;             // this processor, and its operating system, have it
  const HostKernel* kernels;  // by OpId
};

// What this binary has, the weakest first (STEPMARK_HOST_SETS of the build).
[[nodiscard]] std::span<const HostSet> host_sets();

// The strongest of `sets` that runs here, or the one of the name that is asked for. Error(kUsage)
// when that one is not in the binary or not in the processor, Error(kEnvironment) when none runs.
[[nodiscard]] const HostSet& choose_set(std::span<const HostSet> sets,
                                        const std::optional<std::string>& wanted);

// The set of this process, chosen once: by environment variable STEPMARK_INSTRUCTION_SET, else the
// strongest. Throws as choose_set does.
[[nodiscard]] const HostSet& host_set();

}  // namespace stepmark
