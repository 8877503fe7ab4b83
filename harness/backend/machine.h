// SPDX-License-Identifier: Apache-2.0
// What a run measures on: an executor with its device, the ranks' communicator on its memory, and
// what is to be said of both. One per backend: host_machine.cpp, cuda_machine.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "collectives/comm.h"
#include "harness/backend/job.h"
#include "harness/backend/resources.h"
#include "harness/exec/executor.h"
#include "harness/measure/telemetry.h"
#include "harness/spec/accelerator.h"
#include "results/record/environment.h"

namespace stepmark {

// Opened once the job has started. Outlives everything made from it.
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

// What a user may choose of it.
struct MachineOptions {
  bool share_gpu = false;         // several ranks may use one GPU
  bool nccl_choices = false;      // let NCCL log what it chooses
  double start_deadline_s = 120;  // for the ranks to start and to find each other
};

[[nodiscard]] std::unique_ptr<Machine> make_host_machine(Job& job, const Resources& resources);
// One of these is linked, by the build: with the CUDA backend, or without (Error).
[[nodiscard]] std::unique_ptr<Machine> make_cuda_machine(Job& job, const MachineOptions& options);

// With the CUDA backend one of these is linked, by the executable: for real GPUs (nothing to say),
// or the emulated one of the tests, whose times mean nothing.
[[nodiscard]] std::string gpu_caveat();

}  // namespace stepmark
