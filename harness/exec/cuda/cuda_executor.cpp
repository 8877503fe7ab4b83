// SPDX-License-Identifier: Apache-2.0
// A first run outside any capture loads kernels and lets libraries choose; then the step becomes
// one graph. Traced and empty steps are graphs of their own, made when asked for, and what an event
// node itself costs is measured and taken off.
#include "harness/exec/cuda/cuda_executor.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "core/cuda/check.h"
#include "core/error.h"
#include "core/stats.h"
#include "harness/exec/arena.h"
#include "harness/exec/cuda/cuda_device.h"
#include "harness/exec/cuda/cuda_graph.h"
#include "harness/exec/cuda/cuda_stream_launcher.h"
#include "harness/exec/cuda/nvtx_range.h"
#include "harness/exec/failure.h"
#include "harness/exec/steady_ns.h"
#include "harness/program/legality.h"
#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/sweep.h"

namespace stepmark {
namespace {

// What is read ahead of a cold step, in caches: more than one, since their replacement is not
// least-recently-used and halves may hold copies of each other.
constexpr std::size_t kCachesToRead = 4;
constexpr int kMarkRuns = 3;  // of a graph of events alone
constexpr int kTieRuns = 5;
constexpr std::int64_t kEventResolutionNs = 500;

class CudaRunnable final : public BoundRunnable {
 public:
  CudaRunnable(CudaDevice& device, const Program& program, CommSet& comms,
               const PrepareOptions& options)
      : BoundRunnable(program, device, options),
        device_(device),
        launcher_(device, bound(), comms),
        begin_(cuda::make_timing_event()),
        end_(cuda::make_timing_event()),
        tie_(cuda::make_timing_event()) {
    if (options.cold) reserve_cold();
    zero_arena();
    if (options.capture) {
      execute_first();
      graph_ = capture(CudaStreamLauncher::Bodies::ops);
    }
    device_.wait().for_stream(launcher_.origin());
  }

  void run() override {
    step([this] { graph_ ? launch(graph_) : launcher_.enqueue(CudaStreamLauncher::Bodies::ops); });
    timeline_ = {.step_ns = step_ns()};
  }

  void run_traced() override {
    if (!trace_) prepare_trace();
    step([this] {
      traced_graph_ ? launch(traced_graph_)
                    : launcher_.enqueue(CudaStreamLauncher::Bodies::ops, trace_.get());
    });
    timeline_ = {
        .step_ns = step_ns(), .spans = launcher_.spans(*trace_, begin_.get()), .mark_ns = mark_ns_};
    for (const Span& span : timeline_.spans) {
      timeline_.step_ns = std::max(timeline_.step_ns, span.end_ns);
    }
    tie_to_host_clock();
  }

  double run_back_to_back(int steps) override {
    STEPMARK_REQUIRE(steps > 0, "{} steps asked for, at least 1 is needed", steps);
    step([this, steps] {
      for (int i = 0; i < steps; ++i) {
        graph_ ? launch(graph_) : launcher_.enqueue(CudaStreamLauncher::Bodies::ops);
      }
    });
    timeline_ = {};
    return static_cast<double>(step_ns()) * 1e-9;
  }

  EmptyStep run_empty() override {
    device_.make_current();
    if (graph_ && !empty_graph_) empty_graph_ = capture(CudaStreamLauncher::Bodies::markers);
    EmptyStep empty;
    step([&] {
      const auto begin = std::chrono::steady_clock::now();
      empty_graph_ ? launch(empty_graph_) : launcher_.enqueue(CudaStreamLauncher::Bodies::none);
      empty.host_s =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    });
    if (empty_graph_) empty.graph_s = static_cast<double>(step_ns()) * 1e-9;
    return empty;
  }

  [[nodiscard]] Timeline timeline() const override { return timeline_; }
  [[nodiscard]] bool cold() const override { return cold_.bytes() > 0; }

  [[nodiscard]] OpEngine engine_of(std::int32_t index) const override {
    return launcher_.engine_of(index);
  }

 private:
  // Memory to spare decides whether cold() is true.
  void reserve_cold() {
    try {
      cold_ = device_.allocate(kCachesToRead * device_.l2_bytes());
    } catch (const Error&) {
      cold_ = {};
      return;
    }
    STEPMARK_CUDA_CHECK(cudaMemsetAsync(cold_.data(), 0, cold_.bytes(), launcher_.origin()));
  }

  void zero_arena() {
    const Memory& memory = *bound().arena();
    if (memory.bytes() == 0) return;
    STEPMARK_CUDA_CHECK(cudaMemsetAsync(memory.data(), 0, memory.bytes(), launcher_.origin()));
  }

  // Kernels are loaded, plans of libraries become ready and communicators connect when they are
  // used first: none of it belongs into a capture, or into a step that is timed. What it computed
  // from zeros is forgotten.
  void execute_first() {
    step([this] { launcher_.enqueue(CudaStreamLauncher::Bodies::ops); });
    zero_arena();
  }

  cuda::GraphExecOwner capture(CudaStreamLauncher::Bodies bodies,
                               const CudaTrace* trace = nullptr) {
    return capture_graph(launcher_.origin(), [&] { launcher_.enqueue(bodies, trace); });
  }

  // Events in a graph are nodes: a span of nothing has one step from node to node in it, and that
  // of an op two, which are the graph's and no work of the op.
  void prepare_trace() {
    const bool captured = static_cast<bool>(graph_);
    auto trace = std::make_unique<CudaTrace>(program().ops.size(), captured);
    if (captured && !program().ops.empty()) {
      mark_ns_ = std::llround(2 * nothing_ns(*trace));
      traced_graph_ = capture(CudaStreamLauncher::Bodies::ops, trace.get());
    }
    trace_ = std::move(trace);
  }

  [[nodiscard]] double nothing_ns(const CudaTrace& trace) {
    const cuda::GraphExecOwner marks = capture(CudaStreamLauncher::Bodies::none, &trace);
    std::vector<double> lengths_ns;
    for (int i = 0; i < kMarkRuns; ++i) {
      step([&] { launch(marks); });
      lengths_ns.clear();  // the last run counts: the first is slower
      for (const Span& span : launcher_.spans(trace, begin_.get())) {
        lengths_ns.push_back(static_cast<double>(span.end_ns - span.begin_ns));
      }
    }
    return median(lengths_ns);
  }

  void launch(const cuda::GraphExecOwner& graph) const {
    STEPMARK_CUDA_CHECK(cudaGraphLaunch(graph.get(), launcher_.origin()));
  }

  template <class Enqueue>
  void step(Enqueue enqueue) {
    const cuda::NvtxRange range(program().name.c_str());
    device_.make_current();
    try {
      if (cold()) {
        cuda::sweep_caches(cold_.data(), cold_.bytes(), device_.sm_count(), launcher_.origin());
      }
      STEPMARK_CUDA_CHECK(cudaEventRecord(begin_.get(), launcher_.origin()));
      enqueue();
      STEPMARK_CUDA_CHECK(cudaEventRecord(end_.get(), launcher_.origin()));
    } catch (...) {
      launcher_.settle();
      throw;
    }
    try {
      device_.wait().for_event(end_.get());
    } catch (...) {
      rethrow_from(fmt::format("rank {}: step of {}", program().rank, program().name),
                   std::current_exception());
    }
  }

  // An event that is reached between two times of the host; of a few the narrowest.
  void tie_to_host_clock() {
    for (int i = 0; i < kTieRuns; ++i) {
      const std::int64_t before = steady_ns();
      STEPMARK_CUDA_CHECK(cudaEventRecord(tie_.get(), launcher_.origin()));
      device_.wait().for_event(tie_.get());
      const std::int64_t after = steady_ns();
      const std::int64_t error = (after - before) / 2 + kEventResolutionNs;
      if (timeline_.start_ns >= 0 && error >= timeline_.start_error_ns) continue;
      timeline_.start_ns =
          before + (after - before) / 2 - std::llround(cuda::elapsed_ns(begin_.get(), tie_.get()));
      timeline_.start_error_ns = error;
    }
  }

  [[nodiscard]] std::int64_t step_ns() const {
    return std::llround(cuda::elapsed_ns(begin_.get(), end_.get()));
  }

  // Members use what is above them: graphs go first, then events, then streams, and memory last.
  CudaDevice& device_;
  Memory cold_;  // empty: steps are not made cold
  CudaStreamLauncher launcher_;
  cuda::EventOwner begin_, end_;  // of the step
  cuda::EventOwner tie_;          // to the host's clock
  std::unique_ptr<CudaTrace> trace_;
  std::int64_t mark_ns_ = 0;
  Timeline timeline_;
  cuda::GraphExecOwner graph_, traced_graph_, empty_graph_;  // null: launched op by op
};

class CudaExecutor final : public Executor {
 public:
  explicit CudaExecutor(Device& device) : device_(as_cuda_device(device)) {}
  [[nodiscard]] Device& device() override { return device_; }
  using Executor::prepare;
  [[nodiscard]] std::unique_ptr<Runnable> prepare(const Program& program, CommSet& comms,
                                                  const PrepareOptions& options) override {
    check_ops(program);
    device_.make_current();
    return std::make_unique<CudaRunnable>(device_, program, comms, options);
  }
  [[nodiscard]] OpEngine engine_of(const OpShape& shape) const override {
    cuda::EngineNote note = cuda::engine_of(shape);
    return {.name = std::move(note.engine), .refused = std::move(note.refused)};
  }

 private:
  CudaDevice& device_;
};

}  // namespace

std::unique_ptr<Executor> make_cuda_executor(Device& cuda_device) {
  return std::make_unique<CudaExecutor>(cuda_device);
}

}  // namespace stepmark
