// SPDX-License-Identifier: Apache-2.0
// What this binary can run on. backends.cpp is the one file that knows what was built; which
// job_*.cpp it is linked with is decided by the build.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "collectives/comm.h"
#include "core/control.h"
#include "results/record/environment.h"

namespace stepmark {

// A process as a member of a job: MPI from start to end, or a world of one.
class Job {
 public:
  virtual ~Job() = default;
  [[nodiscard]] virtual Control& control() = 0;
  [[nodiscard]] virtual Comm& world() = 0;
  // Do not wait for other ranks at the end: they may never arrive.
  virtual void abandon() = 0;
};

struct Backend {
  std::string name;       // "host"
  std::string describes;  // "CPU kernels, MPI 4.1.4"
  std::string unusable;   // why it cannot be used here; empty when it can
};

[[nodiscard]] std::vector<Backend> built_backends();
// Starts the job of `backend` ("auto": the best usable). Error(kUsage) for an unknown or unusable
// one.
[[nodiscard]] std::unique_ptr<Job> start_job(const std::string& backend);
// The backend that "auto" means.
[[nodiscard]] std::string resolve_backend(const std::string& backend);
// Library versions for the environment.
[[nodiscard]] std::vector<EnvironmentFact> backend_facts();

// One of these is linked, by the build (CMakeLists.txt): jobs with MPI, or without.
[[nodiscard]] std::unique_ptr<Job> make_job();
[[nodiscard]] std::vector<EnvironmentFact> job_facts();

// Whether mpirun or srun started this process as one of several although the binary has no MPI.
[[nodiscard]] int launched_ranks();
// Which of them this one is, as the launcher's environment says before the job has started; 0 when
// there is no launcher.
[[nodiscard]] int launched_rank();

}  // namespace stepmark
