// SPDX-License-Identifier: Apache-2.0
// Runs a program on a device. prepare() does everything slow once (allocates buffers, binds kernels
// and comm verbs to tasks, resolves dependencies); run() hands each stream its flat list and waits.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/device.h"
#include "harness/program/program.h"
#include "harness/program/timeline/timeline.h"

namespace stepmark {

// One step of a program whose ops are nothing.
struct EmptyStep {
  double host_s = 0;  // until the host is done with it
  // Of a GPU that launches one graph in which every op is a memset of one byte: the time between
  // the events around it. Negative: there is no such graph.
  double graph_s = -1;
};

// What computes an op that has several implementations, as it was prepared; for records.
struct OpEngine {
  std::string name;  // with version and algorithm ("cudnn 9.19.0 engine=5"); empty: there is none
  std::string refused;  // why the library that should have computed it did not; empty: it did
};

// The comms of a rank, one per axis of the program's groups.
class CommSet {
 public:
  virtual ~CommSet() = default;
  [[nodiscard]] virtual Comm& of(std::string_view axis) = 0;  // Error when there is none
};
// Splits `world` once per group of the program; groups of size 1 get a self comm. Collective.
[[nodiscard]] std::unique_ptr<CommSet> make_comm_set(Comm& world, const Program& program);

class Runnable;

struct PrepareOptions {
  // cuda: the step is captured once, after it was executed once, and replayed as one graph;
  // otherwise every op is launched by itself. No meaning on the host.
  bool capture = true;
  // Empty the device's caches ahead of each run, outside of its time, where the device can.
  bool cold = false;
  // Activations and workspaces that are live at different times share memory
  // (harness/program/memory_plan.h); what they hold after a run has no meaning.
  bool reuse = false;
  // Of the memory for all buffers; for another form that is to use it as well.
  std::int64_t least_bytes = 0;
  // Another form of the same step on this device, not running meanwhile, prepared with the same
  // `reuse`: both use its memory instead of each its own. What keeps its content in either keeps it
  // or becomes zero. Error unless the programs declare the same buffers and the memory is enough.
  const Runnable* buffers_of = nullptr;
};

class Runnable {
 public:
  virtual ~Runnable() = default;
  // One step. Rethrows the first failure, with the op's label and rank in the message.
  virtual void run() = 0;
  // One step with a span for every op. Where spans cost time (events on a GPU) run() has none, and
  // this one is no measurement of the whole step. What is captured is traced as a graph too: its
  // spans then have no launches of the host in them.
  virtual void run_traced() { run(); }
  // `steps` (at least 1) steps, each handed over without waiting for the one before. Seconds from
  // the begin of the first to the end of the last. timeline() afterwards is of the
  // last one at most.
  virtual double run_back_to_back(int steps);
  // Of the last run: its time, and its spans when it had some.
  [[nodiscard]] virtual Timeline timeline() const = 0;
  // Whether PrepareOptions::cold was heeded.
  [[nodiscard]] virtual bool cold() const { return false; }
  // Same launches, same streams and events, with every kernel and comm verb replaced by nothing:
  // the executor's own cost.
  virtual EmptyStep run_empty() = 0;
  // What holds all its buffers; for PrepareOptions::buffers_of.
  [[nodiscard]] virtual std::shared_ptr<const Memory> arena() const = 0;
  // Memory of a buffer, to fill inputs and read results (use Device::copy_*).
  [[nodiscard]] virtual void* buffer(std::int32_t index) = 0;
  [[nodiscard]] virtual const Program& program() const = 0;
  // Of op `index` of the program.
  [[nodiscard]] virtual OpEngine engine_of(std::int32_t index) const = 0;
};

class Executor {
 public:
  virtual ~Executor() = default;
  [[nodiscard]] virtual Device& device() = 0;
  // `comms` must outlive the Runnable. The program is copied.
  [[nodiscard]] virtual std::unique_ptr<Runnable> prepare(const Program& program, CommSet& comms,
                                                          const PrepareOptions& options) = 0;
  [[nodiscard]] std::unique_ptr<Runnable> prepare(const Program& program, CommSet& comms) {
    return prepare(program, comms, {});
  }
  // Of ops of this shape, as prepared last.
  [[nodiscard]] virtual OpEngine engine_of(const OpShape&) const { return {}; }
};

// Streams are worker threads. Kernels get `compute_threads` OpenMP threads on streams whose name
// begins with "compute" or "optimizer", and 1 on others. Threads of streams whose name ends in
// "-low" leave the cores to others that want them. The device must outlive the executor and its
// Runnables. A Runnable has all its buffers in one arena, zero-filled, and its own streams. Other
// `traits` than the host's make it ask for padding as another device would: the kernels are
// indifferent to it.
[[nodiscard]] std::unique_ptr<Device> make_host_device(int compute_threads,
                                                       const DeviceTraits& traits = kHostTraits);
[[nodiscard]] std::unique_ptr<Executor> make_host_executor(Device& host_device);

}  // namespace stepmark
