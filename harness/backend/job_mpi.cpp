// SPDX-License-Identifier: Apache-2.0
// Jobs of a binary built with MPI.
#include "collectives/mpi/mpi_runtime.h"
#include "collectives/mpi/mpi_transport.h"
#include "core/environment_variable.h"
#include "harness/backend/job.h"
#include "harness/backend/pmix_farewell.h"

namespace stepmark {
namespace {

class MpiJob final : public Job {
 public:
  MpiJob() : runtime_(nullptr, nullptr), control_(make_mpi_control()), world_(make_mpi_comm()) {}
  [[nodiscard]] Control& control() override { return *control_; }
  [[nodiscard]] Comm& world() override { return *world_; }
  [[nodiscard]] LibraryTransport transport() const override {
    const MpiTransport seen = mpi_transport(transport_evidence());
    return {seen.messages, seen.same_host, seen.other_hosts};
  }
  void abandon() override { runtime_.abandon(); }

 private:
  MpiRuntime runtime_;
  std::unique_ptr<Control> control_;
  std::unique_ptr<Comm> world_;
};

}  // namespace

std::unique_ptr<Job> make_job() { return std::make_unique<MpiJob>(); }

std::vector<EnvironmentFact> job_facts() {
  return {{.section = "software", .name = "mpi", .value = mpi_library_version()}};
}

// A PMIx server removes a process from its shared-memory store ("ds21", "ds12") when the process
// leaves, and a second start then fails with "getting local rank failed". What the process asks the
// server for ("hash") is still there. Seen with Open MPI 4.1.4 and PMIx 4.2.2.
std::vector<std::pair<std::string, std::string>> restart_variables() {
  if (!environment_variable("PMIX_GDS_MODULE")) return {};
  return {{"PMIX_GDS_MODULE", "hash"}};
}

void leave_for_restart() { leave_pmix_slowly(); }

}  // namespace stepmark
