// SPDX-License-Identifier: Apache-2.0
// Jobs of a binary built with MPI.
#include "collectives/mpi/mpi_runtime.h"
#include "harness/cli/backends.h"

namespace stepmark {
namespace {

class MpiJob final : public Job {
 public:
  MpiJob() : runtime_(nullptr, nullptr), control_(make_mpi_control()), world_(make_mpi_comm()) {}
  [[nodiscard]] Control& control() override { return *control_; }
  [[nodiscard]] Comm& world() override { return *world_; }
  void abandon() override { runtime_.abandon(); }

 private:
  MpiRuntime runtime_;
  std::unique_ptr<Control> control_;
  std::unique_ptr<Comm> world_;
};

}  // namespace

std::unique_ptr<Job> make_job() { return std::make_unique<MpiJob>(); }

std::vector<EnvironmentFact> job_facts() {
  return {{.group = "software", .name = "mpi", .value = mpi_library_version()}};
}

}  // namespace stepmark
