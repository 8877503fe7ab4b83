// SPDX-License-Identifier: Apache-2.0
#include "harness/backend/backends.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"
#include "kernels/host/sets.h"

namespace stepmark {
namespace {

class HostMachine final : public Machine {
 public:
  HostMachine(Job& job, const Resources& resources)
      : world_(job.world()),
        resources_(resources),
        set_(host_set()),
        device_(make_host_device(resources.compute_threads)),
        executor_(make_host_executor(*device_)) {}
  [[nodiscard]] Executor& executor() override { return *executor_; }
  [[nodiscard]] Comm& world() override { return world_; }
  [[nodiscard]] std::int64_t memory_bytes() const override { return resources_.memory_bytes; }
  [[nodiscard]] bool exclusive() const override { return !resources_.oversubscribed; }
  [[nodiscard]] std::vector<EnvironmentFact> facts() const override {
    return {{.group = "software", .name = "host kernels", .value = std::string(set_.name)}};
  }
  [[nodiscard]] FoundAccelerator found() const override { return {.name = "CPU", .is_gpu = false}; }
  // CPUs that do nothing are performance left out, where CPUs do the work.
  [[nodiscard]] std::vector<std::string> labels() const override {
    if (resources_.unused.empty()) return {};
    return {resources_.unused};
  }

 private:
  Comm& world_;
  Resources resources_;
  const HostSet& set_;  // chosen before anything is measured: a wrong choice ends the run here
  std::unique_ptr<Device> device_;
  std::unique_ptr<Executor> executor_;
};

}  // namespace

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
                                      const MachineOptions& options) {
  if (resolve_backend(backend) == "cuda") return make_cuda_machine(job, options);
  return std::make_unique<HostMachine>(job, options.resources);
}

std::vector<Backend> built_backends() {
  std::vector<Backend> backends;  // the best first
  if (auto cuda = cuda_backend()) backends.push_back(std::move(*cuda));
  backends.push_back(
      {.name = "host", .describes = "CPU kernels and OpenBLAS; " + job_facts().front().value});
  return backends;
}

std::vector<EnvironmentFact> backend_facts() { return job_facts(); }

}  // namespace stepmark
