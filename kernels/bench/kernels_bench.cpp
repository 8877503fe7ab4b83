// SPDX-License-Identifier: Apache-2.0
// Google Benchmark over the registry: every op, its bench shapes, fp32 and bf16, named
// "op/dtype/dim=value/...". Counters: FLOP/s and B/s by the op's own flops() and bytes().
// `--benchmark_filter='adamw|copy'` picks ops; shapes beyond kHostBytes and kHostFlops, which are
// meant for accelerators, come with `--all_shapes`.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>

#include "kernels/bench/bench_cases.h"

namespace stepmark {
namespace {

constexpr double kHostBytes = 1e9, kHostFlops = 3e10;  // a second or so of one core
constexpr std::size_t kAlignBytes = 256;
struct AlignedDelete {
  void operator()(void* p) const { ::operator delete (p, std::align_val_t{kAlignBytes}); }
};
using Buffer = std::unique_ptr<void, AlignedDelete>;

Buffer make_buffer(const OpShape& shape, std::size_t operand) {
  const std::size_t total =
      static_cast<std::size_t>(elements_of(shape, operand)) * size_of(dtype_of(shape, operand));
  Buffer buffer(::operator new (std::max<std::size_t>(1, total), std::align_val_t{kAlignBytes}));
  const std::vector<std::byte> pattern = bench::operand_pattern(shape, operand);
  auto* bytes = static_cast<std::byte*>(buffer.get());
  for (std::size_t at = 0; at < total; at += pattern.size()) {
    std::copy_n(pattern.data(), std::min(pattern.size(), total - at), bytes + at);
  }
  return buffer;
}

void run(benchmark::State& state, const OpShape& shape) {
  std::vector<Buffer> buffers;
  std::vector<void*> operands;
  for (std::size_t i = 0; i < info_of(shape.id).operands.size(); ++i) {
    buffers.push_back(make_buffer(shape, i));
    operands.push_back(buffers.back().get());
  }
  const HostKernel kernel = host_kernel(shape.id);
  for ([[maybe_unused]] const auto iteration : state) {
    kernel(shape, operands.data());
    benchmark::ClobberMemory();
  }
  using benchmark::Counter;
  state.counters["FLOP/s"] = Counter(flops_of(shape), Counter::kIsIterationInvariantRate);
  state.counters["B/s"] = Counter(bytes_of(shape), Counter::kIsIterationInvariantRate);
}

void register_all(bool all_shapes) {
  for (const OpInfo* info : all_ops()) {
    for (const DType dtype : {DType::f32, DType::bf16}) {
      for (const OpShape& shape : info->bench_shapes(dtype)) {
        const bool large = bytes_of(shape) > kHostBytes || flops_of(shape) > kHostFlops;
        if (large && !all_shapes) continue;
        benchmark::RegisterBenchmark(bench::name_of_case(shape).c_str(), run, shape)
            ->UseRealTime()
            ->Unit(benchmark::kMicrosecond);
      }
    }
  }
}

}  // namespace
}  // namespace stepmark

int main(int argc, char** argv) {
  char** const end = std::remove_if(argv + 1, argv + argc, [](const char* arg) {
    return std::string_view(arg) == "--all_shapes";
  });
  const bool all_shapes = end != argv + argc;
  argc = static_cast<int>(end - argv);
  stepmark::register_all(all_shapes);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
