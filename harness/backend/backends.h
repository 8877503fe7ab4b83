// SPDX-License-Identifier: Apache-2.0
// What this binary can run on. backends.cpp is the one file that knows what was built; which
// job_*.cpp and *cuda_machine.cpp it is linked with is decided by the build.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "collectives/comm.h"
#include "core/control.h"
#include "harness/backend/resources.h"
#include "harness/exec/executor.h"
#include "harness/measure/telemetry.h"
#include "harness/spec/accelerator.h"
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

// What a run measures on, opened once the job has started. Outlives everything made from it.
class Machine {
 public:
  virtual ~Machine() = default;
  [[nodiscard]] virtual Executor& executor() = 0;
  // All ranks, on the backend's memory.
  [[nodiscard]] virtual Comm& world() = 0;
  // For all ranks of the host together; 0: unknown.
  [[nodiscard]] virtual std::int64_t memory_bytes() const = 0;
  // This rank shares its cores or GPU with no other.
  [[nodiscard]] virtual bool exclusive() const = 0;
  [[nodiscard]] virtual std::vector<EnvironmentFact> facts() const { return {}; }
  // Of this rank's device, on all ranks or none; null where there is none.
  [[nodiscard]] virtual Telemetry* telemetry() { return nullptr; }
  [[nodiscard]] virtual double cache_bytes() const { return 0; }  // the largest; 0: unknown
  // This rank's accelerator, as its driver says.
  [[nodiscard]] virtual FoundAccelerator found() const = 0;
  // Remarks that belong to every record of this run.
  [[nodiscard]] virtual std::vector<std::string> labels() const { return {}; }
  // Why no time measured here is performance ("single-gpu-timesliced"); empty when it is.
  [[nodiscard]] virtual std::string not_performance() const { return {}; }
};

struct MachineOptions {
  Resources resources;
  bool share_gpu = false;     // several ranks may use one GPU
  bool nccl_choices = false;  // let NCCL log what it chooses
  double deadline_s = 120.0;  // for the ranks to find each other
};

struct Backend {
  std::string name;       // "host"
  std::string describes;  // "CPU kernels, MPI 4.1.4"
  std::string unusable;   // why it cannot be used here; empty when it can
};

[[nodiscard]] std::vector<Backend> built_backends();
// Collective. Error when a rank has no device of its own, or ranks do not find each other.
[[nodiscard]] std::unique_ptr<Machine> open_machine(const std::string& backend, Job& job,
                                                    const MachineOptions& options);
// The backend that "auto" means: the best usable. Error(kUsage) for an unknown or unusable one.
[[nodiscard]] std::string resolve_backend(const std::string& backend);
// Library versions for the environment.
[[nodiscard]] std::vector<EnvironmentFact> backend_facts();

// One of these is linked, by the build (CMakeLists.txt): jobs with MPI, or without.
[[nodiscard]] std::unique_ptr<Job> make_job();
[[nodiscard]] std::vector<EnvironmentFact> job_facts();
// Name and value of environment variables without which MPI does not start a second time in the
// place that a launcher made for a process.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> restart_variables();

// One of these is linked, by the build: with the CUDA backend, or without (none, Error).
[[nodiscard]] std::optional<Backend> cuda_backend();
[[nodiscard]] std::unique_ptr<Machine> make_cuda_machine(Job& job, const MachineOptions& options);

// With the CUDA backend one of these is linked, by the executable: for real GPUs (nothing to say),
// or the emulated one of the tests, whose times mean nothing.
[[nodiscard]] std::string gpu_caveat();
}  // namespace stepmark
