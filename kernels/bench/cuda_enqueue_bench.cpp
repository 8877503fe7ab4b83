// SPDX-License-Identifier: Apache-2.0
// Host-side cost of putting work on a stream, in host time per item:
//   enqueue/<op>/...   one op of the registry (its smallest bench shape, bf16), without a graph
//   graph_launch/nodes=N   one launch of a captured graph of N small kernels; "per_node" divides
// The device is idle when a batch begins, and a batch fits the driver's queue, so the host never
// waits for the device. Exit code 77 where there is no GPU.
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdio>

#include "core/cuda/check.h"
#include "core/error.h"
#include "kernels/bench/bench_cases.h"
#include "kernels/bench/cuda_bench.h"
#include "kernels/ops/memory.h"

namespace stepmark {
namespace {

constexpr int kBatch = 100;  // queues of drivers hold 1024 launches
constexpr int kGraphBatch = 10;

class Stream {
 public:
  Stream() { STEPMARK_CUDA_CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }
  ~Stream() { cuda::log_cuda_error(cudaStreamDestroy(stream_), "cudaStreamDestroy"); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  [[nodiscard]] cudaStream_t get() const { return stream_; }
  void synchronize() const { STEPMARK_CUDA_CHECK(cudaStreamSynchronize(stream_)); }

 private:
  cudaStream_t stream_ = nullptr;
};

template <class F>
double host_seconds(F work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Times batches of `batch` calls; the figure is one call.
template <class F>
void time_batches(benchmark::State& state, const Stream& stream, int batch, F call) {
  call();
  stream.synchronize();
  for ([[maybe_unused]] const auto iteration : state) {
    const double seconds = host_seconds([&] {
      for (int i = 0; i < batch; ++i) call();
    });
    state.SetIterationTime(seconds / batch);
    stream.synchronize();
  }
}

void enqueue_op(benchmark::State& state, const OpShape& shape) {
  try {
    const Stream stream;
    const bench::Operands operands(shape);
    cuda::KernelContext context;
    const cuda::Enqueue work = cuda::prepare(shape, operands.data(), context);
    STEPMARK_CUDA_CHECK(cudaDeviceSynchronize());
    time_batches(state, stream, kBatch, [&] { work(stream.get()); });
  } catch (const Error& error) {
    state.SkipWithError(error.message().c_str());
  }
}

class Graph {
 public:
  Graph(const Stream& stream, const cuda::Enqueue& work, std::int64_t nodes) {
    STEPMARK_CUDA_CHECK(cudaStreamBeginCapture(stream.get(), cudaStreamCaptureModeThreadLocal));
    for (std::int64_t i = 0; i < nodes; ++i) work(stream.get());
    STEPMARK_CUDA_CHECK(cudaStreamEndCapture(stream.get(), &graph_));
    STEPMARK_CUDA_CHECK(cudaGraphInstantiate(&executable_, graph_, 0));
  }
  ~Graph() {
    cuda::log_cuda_error(cudaGraphExecDestroy(executable_), "cudaGraphExecDestroy");
    cuda::log_cuda_error(cudaGraphDestroy(graph_), "cudaGraphDestroy");
  }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  void launch(const Stream& stream) const {
    STEPMARK_CUDA_CHECK(cudaGraphLaunch(executable_, stream.get()));
  }

 private:
  cudaGraph_t graph_ = nullptr;
  cudaGraphExec_t executable_ = nullptr;
};

void launch_graph(benchmark::State& state, std::int64_t nodes) {
  try {
    const OpShape shape = pack(CopyShape{.elements = 1024}, DType::f32);
    const Stream stream;
    const bench::Operands operands(shape);
    cuda::KernelContext context;
    const cuda::Enqueue work = cuda::prepare(shape, operands.data(), context);
    STEPMARK_CUDA_CHECK(cudaDeviceSynchronize());
    const Graph graph(stream, work, nodes);
    time_batches(state, stream, kGraphBatch, [&] { graph.launch(stream); });
    using benchmark::Counter;
    state.counters["per_node"] =
        Counter(static_cast<double>(nodes), Counter::kIsIterationInvariantRate | Counter::kInvert);
  } catch (const Error& error) {
    state.SkipWithError(error.message().c_str());
  }
}

void register_all(bool test_shapes) {
  for (const OpInfo* info : all_ops()) {
    const auto shapes =
        test_shapes ? info->test_shapes(DType::bf16) : info->bench_shapes(DType::bf16);
    if (shapes.empty()) continue;
    const auto smallest = std::ranges::min_element(shapes, {}, bench::Operands::bytes_of);
    benchmark::RegisterBenchmark(("enqueue/" + bench::name_of_case(*smallest)).c_str(), enqueue_op,
                                 *smallest)
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond);
  }
  for (const std::int64_t nodes : {1, 10, 100, 1000}) {
    benchmark::RegisterBenchmark(fmt::format("graph_launch/nodes={}", nodes).c_str(), launch_graph,
                                 nodes)
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond);
  }
}

}  // namespace
}  // namespace stepmark

int main(int argc, char** argv) {
  using namespace stepmark;
  return bench::run_program("stepmark_bench_cuda_enqueue", argc, argv,
                            [](bool test_shapes) { register_all(test_shapes); });
}
