// SPDX-License-Identifier: Apache-2.0
// GPUs before host: `auto` takes the first that works here. A backend that is built in but cannot
// run is told with the reason, not left out.
#include "harness/backend/backends.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"

namespace stepmark {

std::string resolve_backend(const std::string& backend) {
  std::vector<std::string> names;
  for (const Backend& built : built_backends()) {
    names.push_back(built.name);
    if (backend == "auto" && built.unusable.empty()) return built.name;
    if (backend != built.name) continue;
    STEPMARK_REQUIRE(built.unusable.empty(), "--backend {}: {}", backend, built.unusable);
    return built.name;
  }
  throw Error(ExitCode::kUsage, fmt::format("--backend: there is no '{}'; this binary has: {}",
                                            backend, fmt::join(names, " ")));
}

std::unique_ptr<Machine> open_machine(const std::string& backend, Job& job,
                                      const Resources& resources, const MachineOptions& options) {
  if (resolve_backend(backend) == "cuda") return make_cuda_machine(job, options);
  return make_host_machine(job, resources);
}

std::vector<Backend> built_backends() {
  std::vector<Backend> backends;  // the best first
  if (auto cuda = cuda_backend()) backends.push_back(std::move(*cuda));
  backends.push_back(
      {.name = "host", .describes = "CPU kernels and OpenBLAS; " + job_facts().front().value});
  return backends;
}

}  // namespace stepmark
