// SPDX-License-Identifier: Apache-2.0
// A process among the others of its run: the control plane and the world of ranks, from start to
// end. With or without MPI: which job_*.cpp is linked is decided by the build.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "collectives/comm.h"
#include "core/control.h"
#include "results/record/environment.h"

namespace stepmark {

// How a job's library moves messages between pairs of ranks, as it was seen to; empty: no library.
struct LibraryTransport {
  std::string messages;     // the layer in charge: "ob1", "ucx"
  std::string same_host;    // "shared memory (vader), single copy by cma"
  std::string other_hosts;  // "tcp"
};

// A process as a member of a job: MPI from start to end, or a world of one.
class Job {
 public:
  virtual ~Job() = default;
  [[nodiscard]] virtual Control& control() = 0;
  [[nodiscard]] virtual Comm& world() = 0;
  [[nodiscard]] virtual LibraryTransport transport() const { return {}; }
  // Do not wait for other ranks at the end: they may never arrive.
  virtual void abandon() = 0;
};

// One of these is linked: with MPI, or without.
[[nodiscard]] std::unique_ptr<Job> make_job();
[[nodiscard]] std::vector<EnvironmentFact> job_facts();
// Name and value of environment variables without which MPI does not start a second time in the
// place that a launcher made for a process.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> restart_variables();
// Before a process ends MPI that will start it again in the same place.
void leave_for_restart();

}  // namespace stepmark
