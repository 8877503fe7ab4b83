// SPDX-License-Identifier: Apache-2.0
// Without a GPU a program says so and ends with 77, which test drivers count as skipped. Operands
// repeat a pattern that is copied on the device, and caches are swept before each sample, as in
// cold steps.
#include "kernels/bench/cuda_bench.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>

#include "core/cuda/check.h"
#include "core/error.h"
#include "kernels/bench/bench_cases.h"
#include "kernels/cuda/sweep.h"
#include "kernels/ops/memory.h"

namespace stepmark::bench {
namespace {

std::size_t operand_bytes(const OpShape& shape, std::size_t operand) {
  return static_cast<std::size_t>(elements_of(shape, operand)) * size_of(dtype_of(shape, operand));
}

// Doubles what is already there until all is filled.
void fill(std::byte* to, std::size_t bytes, const std::vector<std::byte>& pattern) {
  STEPMARK_CUDA_CHECK(cudaMemcpy(to, pattern.data(), pattern.size(), cudaMemcpyHostToDevice));
  for (std::size_t done = pattern.size(); done < bytes;) {
    const std::size_t more = std::min(done, bytes - done);
    STEPMARK_CUDA_CHECK(cudaMemcpy(to + done, to, more, cudaMemcpyDeviceToDevice));
    done += more;
  }
}

// Removes `flag` from the arguments; whether it was there.
bool take_flag(int& argc, char** argv, const std::string& flag) {
  char** const end =
      std::remove_if(argv + 1, argv + argc, [&](char* word) { return flag == word; });
  const bool found = end != argv + argc;
  argc = static_cast<int>(end - argv);
  return found;
}

}  // namespace

std::string why_no_gpu() {
  int devices = 0;
  const cudaError_t status = cudaGetDeviceCount(&devices);
  if (status != cudaSuccess) return cudaGetErrorString(status);
  return devices == 0 ? "the driver shows none" : "";
}

std::string gpu_description() {
  int device = 0, driver = 0;
  cudaDeviceProp properties{};
  STEPMARK_CUDA_CHECK(cudaGetDevice(&device));
  STEPMARK_CUDA_CHECK(cudaGetDeviceProperties(&properties, device));
  STEPMARK_CUDA_CHECK(cudaDriverGetVersion(&driver));
  return fmt::format("{}, compute capability {}.{}, driver for CUDA {}.{}", properties.name,
                     properties.major, properties.minor, driver / 1000, driver % 1000 / 10);
}

int run_program(const char* name, int argc, char** argv,
                const std::function<void(bool test_shapes)>& register_all) {
  try {
    const bool test_shapes = take_flag(argc, argv, "--test-shapes");
    if (const std::string reason = why_no_gpu(); !reason.empty()) {
      std::printf("skipped: no GPU: %s\n", reason.c_str());
      return kSkipped;
    }
    benchmark::Initialize(&argc, argv);
    benchmark::AddCustomContext("gpu", gpu_description());
    register_all(test_shapes);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s: %s\n", name, error.message().c_str());
    return 4;
  }
}

void CudaFree::operator()(void* data) const { cuda::log_cuda_error(cudaFree(data), "cudaFree"); }

DeviceMemory allocate(std::size_t bytes) {
  void* data = nullptr;
  STEPMARK_CUDA_CHECK(cudaMalloc(&data, std::max<std::size_t>(1, bytes)));
  return DeviceMemory(data);
}

Operands::Operands(const OpShape& shape) {
  for (std::size_t i = 0; i < info_of(shape.id).operands.size(); ++i) {
    const std::size_t bytes = operand_bytes(shape, i);
    if (bytes == 0) {
      pointers_.push_back(nullptr);
      continue;
    }
    memory_.push_back(allocate(bytes));
    pointers_.push_back(memory_.back().get());
    fill(static_cast<std::byte*>(pointers_.back()), bytes, operand_pattern(shape, i));
  }
}

std::size_t Operands::bytes_of(const OpShape& shape) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < info_of(shape.id).operands.size(); ++i) {
    bytes += operand_bytes(shape, i);
  }
  return bytes;
}

ColdCache::ColdCache(const cuda::KernelContext& context)
    : bytes_(4 * context.l2_bytes()), sm_count_(context.sm_count()), memory_(allocate(bytes_)) {
  STEPMARK_CUDA_CHECK(cudaMemset(memory_.get(), 0, bytes_));
}

void ColdCache::enqueue(cudaStream_t stream) const {
  cuda::sweep_caches(memory_.get(), bytes_, sm_count_, stream);
}

double EventTimer::seconds(const cuda::Enqueue& work, const ColdCache& cold,
                           cudaStream_t stream) const {
  cold.enqueue(stream);
  STEPMARK_CUDA_CHECK(cudaEventRecord(begin_.get(), stream));
  work(stream);
  STEPMARK_CUDA_CHECK(cudaEventRecord(end_.get(), stream));
  STEPMARK_CUDA_CHECK(cudaEventSynchronize(end_.get()));
  return cuda::elapsed_ns(begin_.get(), end_.get()) * 1e-9;
}

double copy_bandwidth(std::int64_t elements) {
  const OpShape shape = pack(CopyShape{.elements = elements}, DType::f32);
  const Operands operands(shape);
  cuda::KernelContext context;
  const cuda::Enqueue work = cuda::prepare(shape, operands.data(), context);
  const ColdCache cold(context);
  const EventTimer timer;
  std::vector<double> seconds;
  for (int i = 0; i < 23; ++i) seconds.push_back(timer.seconds(work, cold, nullptr));
  seconds.erase(seconds.begin(), seconds.begin() + 3);  // loading the kernel, raising the clocks
  std::ranges::nth_element(seconds, seconds.begin() + 10);
  return stepmark::bytes_of(shape) / seconds[10];
}

}  // namespace stepmark::bench
