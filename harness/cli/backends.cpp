// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/backends.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <initializer_list>

#include "core/error.h"
#include "harness/cli/environment_variable.h"

namespace stepmark {
namespace {

// Of the environment variables that are set.
int first_number(std::initializer_list<const char*> names, int otherwise) {
  for (const char* name : names) {
    if (const auto number = environment_number(name)) return *number;
  }
  return otherwise;
}

class HostMachine final : public Machine {
 public:
  HostMachine(Job& job, const Resources& resources)
      : world_(job.world()),
        resources_(resources),
        device_(make_host_device(resources.compute_threads)),
        executor_(make_host_executor(*device_)) {}
  [[nodiscard]] Executor& executor() override { return *executor_; }
  [[nodiscard]] Comm& world() override { return world_; }
  [[nodiscard]] std::int64_t memory_bytes() const override { return resources_.memory_bytes; }
  [[nodiscard]] bool exclusive() const override { return !resources_.oversubscribed; }

 private:
  Comm& world_;
  Resources resources_;
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

std::unique_ptr<Job> start_job(const std::string& backend) {
  (void)resolve_backend(backend);
  return make_job();
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

int launched_ranks() {
  return first_number({"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_NTASKS"}, 1);
}

int launched_rank() {
  return first_number({"OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID"}, 0);
}

}  // namespace stepmark
