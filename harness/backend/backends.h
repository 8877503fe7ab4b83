// SPDX-License-Identifier: Apache-2.0
// What this binary can run on. backends.cpp is the one file that knows what there is; which parts
// are linked (job_*.cpp, *cuda_machine.cpp) is decided by the build.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/backend/job.h"
#include "harness/backend/machine.h"
#include "harness/backend/resources.h"

namespace stepmark {

struct Backend {
  std::string name;       // "host"
  std::string describes;  // "CPU kernels, MPI 4.1.4"
  std::string unusable;   // why it cannot be used here; empty when it can
};

[[nodiscard]] std::vector<Backend> built_backends();
// The backend that "auto" means: the best usable. Error(kUsage) for an unknown or unusable one.
[[nodiscard]] std::string resolve_backend(const std::string& backend);
// Collective. Error when a rank has no device of its own, or ranks do not find each other.
[[nodiscard]] std::unique_ptr<Machine> open_machine(const std::string& backend, Job& job,
                                                    const Resources& resources,
                                                    const MachineOptions& options = {});

// One of these is linked, by the build: with the CUDA backend, or without (none).
[[nodiscard]] std::optional<Backend> cuda_backend();

}  // namespace stepmark
