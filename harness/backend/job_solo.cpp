// SPDX-License-Identifier: Apache-2.0
// Jobs of a binary built without MPI: a world of one rank.
#include "core/error.h"
#include "harness/backend/job.h"

namespace stepmark {
namespace {

class SoloJob final : public Job {
 public:
  SoloJob() : control_(make_solo_control()), world_(make_self_comm()) { set_identity(0, 1); }
  [[nodiscard]] Control& control() override { return *control_; }
  [[nodiscard]] Comm& world() override { return *world_; }
  void abandon() override {}

 private:
  std::unique_ptr<Control> control_;
  std::unique_ptr<Comm> world_;
};

}  // namespace

std::unique_ptr<Job> make_job() { return std::make_unique<SoloJob>(); }

std::vector<EnvironmentFact> job_facts() {
  return {{.section = "software", .name = "mpi", .value = "none"}};
}

std::vector<std::pair<std::string, std::string>> restart_variables() { return {}; }

void leave_for_restart() {}

}  // namespace stepmark
