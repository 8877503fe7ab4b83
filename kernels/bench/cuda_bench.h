// SPDX-License-Identifier: Apache-2.0
// What the CUDA benchmark programs share: operands on the device, cold caches, times by events.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/cuda/handles.h"
#include "kernels/cuda/cuda_kernels.h"
#include "kernels/op.h"

namespace stepmark::bench {

inline constexpr int kSkipped = 77;  // exit code where there is no GPU

// Why no GPU can be used; empty when one can.
[[nodiscard]] std::string why_no_gpu();
// "NVIDIA H200, compute capability 9.0, driver for CUDA 13.0" of the current device.
[[nodiscard]] std::string gpu_description();
// A whole program: registers what `register_all` registers (with --test-shapes, over the small
// shapes of the tests) and runs it. Returns the exit code.
[[nodiscard]] int run_program(const char* name, int argc, char** argv,
                              const std::function<void(bool test_shapes)>& register_all);

struct CudaFree {
  void operator()(void* data) const;
};
using DeviceMemory = std::unique_ptr<void, CudaFree>;
[[nodiscard]] DeviceMemory allocate(std::size_t bytes);

// The operands of a shape, filled with operand_pattern.
class Operands {
 public:
  explicit Operands(const OpShape& shape);
  [[nodiscard]] void* const* data() const { return pointers_.data(); }
  // What they take of a device's memory.
  [[nodiscard]] static std::size_t bytes_of(const OpShape& shape);

 private:
  std::vector<DeviceMemory> memory_;
  std::vector<void*> pointers_;
};

// Reads more than the L2 cache holds, so that what follows reads from memory, as it does in a step
// whose tensors are larger than the cache, and finds no lines to write back.
class ColdCache {
 public:
  explicit ColdCache(const cuda::KernelContext& context);
  void enqueue(cudaStream_t stream) const;

 private:
  std::size_t bytes_;
  int sm_count_;
  DeviceMemory memory_;
};

// Times work on a stream by two events around it. The work of flush() runs before the first, so the
// host has enqueued everything by the time the device reaches it.
class EventTimer {
 public:
  [[nodiscard]] double seconds(const cuda::Enqueue& work, const ColdCache& cold,
                               cudaStream_t stream) const;

 private:
  cuda::EventOwner begin_ = cuda::make_timing_event(), end_ = cuda::make_timing_event();
};

// Bytes per second, read and written, of the op `copy` over `elements` fp32 values: the median
// of 20.
[[nodiscard]] double copy_bandwidth(std::int64_t elements);

}  // namespace stepmark::bench
