// SPDX-License-Identifier: Apache-2.0
// The host's walk over a prepared program. Every stream's worker gets one task per step: its flat
// list of bodies. Ops that another stream waits for publish the number of the step (the epoch) in a
// flag of their own; all others cost one clock reading and one call.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <utility>

#include "core/error.h"
#include "harness/exec/arena.h"
#include "harness/exec/failure.h"
#include "harness/exec/host/host_event.h"
#include "harness/exec/recording_stream.h"
#include "harness/exec/schedule.h"
#include "harness/program/legality.h"
#include "kernels/host/engine.h"

namespace stepmark {
namespace {

// On a cache line of its own, so that publishing does not disturb other streams' flags.
struct alignas(64) Flag {
  std::atomic<std::uint32_t> epoch{0};
};

struct Entry {
  Task body;
  std::int32_t op = 0;
  std::vector<const Flag*> waits;
  Flag* done = nullptr;  // null: no other stream waits for this op
};

// Blocks until all flags show `epoch`.
void wait_for(const std::vector<const Flag*>& flags, std::uint32_t epoch) {
  for (const Flag* flag : flags) {
    for (std::uint32_t seen = flag->epoch.load(std::memory_order_acquire); seen != epoch;
         seen = flag->epoch.load(std::memory_order_acquire)) {
      flag->epoch.wait(seen, std::memory_order_acquire);
    }
  }
}

class HostRunnable final : public BoundRunnable {
 public:
  HostRunnable(Device& device, const Program& program, CommSet& comms,
               const PrepareOptions& options)
      : BoundRunnable(program, device, options),
        flags_(program.ops.size()),
        spans_(program.ops.size()),
        empty_spans_(program.ops.size()) {
    for (const std::string& name : program.streams) {
      streams_.push_back(device.create_stream(name));
    }
    if (bound().arena()->bytes() > 0 && options.buffers_of == nullptr) touch();
    bind(comms);
  }

  void run() override {
    step_begin_ns_ = walk_all(/*bodies=*/true, spans_);
    if (failure_) rethrow_from(place_of(program(), failed_op_), failure_);
  }

  EmptyStep run_empty() override {
    const std::int64_t begin_ns = walk_all(/*bodies=*/false, empty_spans_);
    return {.host_s = static_cast<double>(steady_ns() - begin_ns) * 1e-9};
  }

  [[nodiscard]] Timeline timeline() const override {
    Timeline timeline{.spans = spans_, .start_ns = step_begin_ns_};
    for (Span& span : timeline.spans) {
      span.begin_ns -= step_begin_ns_;
      span.end_ns -= step_begin_ns_;
      timeline.step_ns = std::max(timeline.step_ns, span.end_ns);
    }
    return timeline;
  }

  [[nodiscard]] OpEngine engine_of(std::int32_t index) const override {
    const Op& op = program().ops.at(static_cast<std::size_t>(index));
    return {.name = op.kernel ? host_engine_of(*op.kernel) : "", .refused = {}};
  }

 private:
  // Zeroes the arena on the worker that will compute on it: pages are placed by first touch.
  void touch() {
    const auto zero = [this] { std::memset(bound().arena()->data(), 0, bound().arena()->bytes()); };
    if (streams_.empty()) return zero();
    streams_.front()->submit(zero);
    streams_.front()->synchronize();
  }

  void bind(CommSet& comms) {
    for (const std::vector<ScheduledOp>& scheduled : schedule_of(program())) {
      std::vector<Entry>& entries = lists_.emplace_back();
      entries.reserve(scheduled.size());
      for (const ScheduledOp& item : scheduled) {
        Entry entry{.body = body_of(program().ops[static_cast<std::size_t>(item.op)], comms),
                    .op = item.op};
        for (const std::int32_t dep : item.waits) {
          entry.waits.push_back(&flags_[static_cast<std::size_t>(dep)]);
        }
        if (item.signals) entry.done = &flags_[static_cast<std::size_t>(item.op)];
        entries.push_back(std::move(entry));
      }
    }
  }

  Task body_of(const Op& op, CommSet& comms) {
    std::vector<void*> operands = bound().operands_of(op);
    if (op.kernel) {
      return [kernel = host_kernel(op.kernel->id), shape = *op.kernel,
              operands = std::move(operands)] { kernel(shape, operands.data()); };
    }
    RecordingStream recording;
    issue(*op.comm, comms.of(op.comm->axis), operands[0], operands[1], recording);
    return recording.take();
  }

  // One step on all streams; returns its begin. Failures are left in failure_.
  std::int64_t walk_all(bool bodies, std::vector<Span>& spans) {
    ++epoch_;
    failed_.store(false, std::memory_order_relaxed);
    failure_ = nullptr;
    const std::int64_t begin_ns = steady_ns();
    for (std::size_t s = 0; s < streams_.size(); ++s) {
      if (lists_[s].empty()) continue;
      streams_[s]->submit([this, s, bodies, &spans] { walk(lists_[s], bodies, spans); });
    }
    for (const auto& stream : streams_) stream->synchronize();
    return begin_ns;
  }

  // After a failure anywhere the rest of every list is passed over, flags still being published: no
  // stream is left waiting.
  void walk(const std::vector<Entry>& entries, bool bodies, std::vector<Span>& spans) {
    std::int64_t now_ns = steady_ns();
    for (const Entry& entry : entries) {
      Span& span = spans[static_cast<std::size_t>(entry.op)];
      span = {.op = entry.op, .begin_ns = now_ns};
      if (!entry.waits.empty()) {
        wait_for(entry.waits, epoch_);
        // Read also where nothing blocked: what was waited for may have ended after now_ns.
        span.begin_ns = steady_ns();
        span.wait_ns = span.begin_ns - now_ns;
      }
      if (!failed_.load(std::memory_order_relaxed)) call(bodies ? entry.body : nothing_, entry.op);
      now_ns = steady_ns();
      span.end_ns = now_ns;
      if (entry.done != nullptr) {
        entry.done->epoch.store(epoch_, std::memory_order_release);
        entry.done->epoch.notify_all();
      }
    }
  }

  void call(const Task& body, std::int32_t op) {
    try {
      body();
    } catch (...) {
      const std::lock_guard lock(failure_mutex_);
      if (!failure_) {
        failure_ = std::current_exception();
        failed_op_ = op;
      }
      failed_.store(true, std::memory_order_relaxed);
    }
  }

  std::vector<Flag> flags_;  // per op; used where another stream waits
  std::vector<Span> spans_, empty_spans_;
  std::vector<std::vector<Entry>> lists_;  // per stream
  const Task nothing_ = [] {};
  std::uint32_t epoch_ = 0;
  std::int64_t step_begin_ns_ = 0;
  std::atomic<bool> failed_{false};
  std::mutex failure_mutex_;
  std::exception_ptr failure_;
  std::int32_t failed_op_ = 0;
  std::vector<std::unique_ptr<Stream>> streams_;  // last: workers end before what they use
};

class HostExecutor final : public Executor {
 public:
  explicit HostExecutor(Device& device) : device_(device) {
    STEPMARK_CHECK(device.backend() == "host", "a {} device for the host executor",
                   device.backend());
  }
  [[nodiscard]] Device& device() override { return device_; }
  using Executor::prepare;
  [[nodiscard]] std::unique_ptr<Runnable> prepare(const Program& program, CommSet& comms,
                                                  const PrepareOptions& options) override {
    check_ops(program);
    return std::make_unique<HostRunnable>(device_, program, comms, options);
  }
  [[nodiscard]] OpEngine engine_of(const OpShape& shape) const override {
    return {.name = host_engine_of(shape), .refused = {}};
  }

 private:
  Device& device_;
};

}  // namespace

std::unique_ptr<Executor> make_host_executor(Device& host_device) {
  return std::make_unique<HostExecutor>(host_device);
}

}  // namespace stepmark
