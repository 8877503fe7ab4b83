// SPDX-License-Identifier: Apache-2.0
// The host backend of a run: this process's cores, the job's own communicator between ranks.
#include <memory>

#include "harness/backend/machine.h"
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
    return {{.section = "software", .name = "host kernels", .value = std::string(set_.name)}};
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

std::unique_ptr<Machine> make_host_machine(Job& job, const Resources& resources) {
  return std::make_unique<HostMachine>(job, resources);
}

}  // namespace stepmark
