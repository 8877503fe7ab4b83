// SPDX-License-Identifier: Apache-2.0
// Google Benchmark over the registry on a GPU: every op, its bench shapes, fp32 and bf16, named
// "op/dtype/dim=value/...", timed by CUDA events with a cold L2 cache. Counters: GFLOP/s and GB/s
// by the op's own flops() and bytes(), and GB/s as a share of the copy bandwidth ("of_copy") that
// was measured at the start. `--benchmark_filter='adamw|copy'` picks ops; --test-shapes takes the
// small shapes of the tests instead. Exit code 77 where there is no GPU.
#include <benchmark/benchmark.h>

#include <cstdio>

#include "core/cuda/check.h"
#include "core/error.h"
#include "kernels/bench/bench_cases.h"
#include "kernels/bench/cuda_bench.h"

namespace stepmark {
namespace {

constexpr std::int64_t kCopyElements = std::int64_t{1} << 28;  // 1 GiB each way
constexpr std::int64_t kSmallCopyElements = std::int64_t{1} << 12;

bool fits(benchmark::State& state, const OpShape& shape) {
  std::size_t available = 0, total = 0;
  STEPMARK_CUDA_CHECK(cudaMemGetInfo(&available, &total));
  const std::size_t wanted = bench::Operands::bytes_of(shape);
  if (wanted < available / 10 * 9) return true;
  state.SkipWithError(
      fmt::format("{} MB wanted, {} MB available", wanted >> 20, available >> 20).c_str());
  return false;
}

void run(benchmark::State& state, const OpShape& shape, double copy_bytes_per_s) {
  try {
    if (!fits(state, shape)) return;
    const bench::Operands operands(shape);
    cuda::KernelContext context;
    const cuda::Enqueue work = cuda::prepare(shape, operands.data(), context);
    const bench::ColdCache cold(context);
    const bench::EventTimer timer;
    (void)timer.seconds(work, cold, nullptr);  // loads the kernel
    for ([[maybe_unused]] const auto iteration : state) {
      state.SetIterationTime(timer.seconds(work, cold, nullptr));
    }
    using benchmark::Counter;
    const auto rate = Counter::kIsIterationInvariantRate;
    state.counters["GFLOP/s"] = Counter(flops_of(shape) / 1e9, rate);
    state.counters["GB/s"] = Counter(bytes_of(shape) / 1e9, rate);
    state.counters["of_copy"] = Counter(bytes_of(shape) / copy_bytes_per_s, rate);
  } catch (const Error& error) {
    state.SkipWithError(error.message().c_str());
  }
}

void register_all(bool test_shapes, double copy_bytes_per_s) {
  for (const OpInfo* info : all_ops()) {
    for (const DType dtype : {DType::f32, DType::bf16}) {
      for (const OpShape& shape :
           test_shapes ? info->test_shapes(dtype) : info->bench_shapes(dtype)) {
        benchmark::RegisterBenchmark(bench::name_of_case(shape).c_str(), run, shape,
                                     copy_bytes_per_s)
            ->UseManualTime()
            ->Unit(benchmark::kMicrosecond);
      }
    }
  }
}

}  // namespace
}  // namespace stepmark

int main(int argc, char** argv) {
  using namespace stepmark;
  return bench::run_program("stepmark_bench_cuda_kernels", argc, argv, [](bool test_shapes) {
    const double copy = bench::copy_bandwidth(test_shapes ? kSmallCopyElements : kCopyElements);
    benchmark::AddCustomContext("copy_gbps", fmt::format("{:.1f}", copy / 1e9));
    register_all(test_shapes, copy);
  });
}
