// SPDX-License-Identifier: Apache-2.0
// Runs one op's CUDA kernel on given operands.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/cuda/check.h"
#include "kernels/cuda/cuda_kernels.h"
#include "tests/equivalence_kernels/op_fixture.h"

namespace stepmark::test {

// The bytes of a guarded host buffer on the device, `offset` bytes behind an aligned address.
class DeviceCopy {
 public:
  DeviceCopy(const GuardedBuffer& host, std::size_t offset)
      : bytes_(host.whole().size()), offset_(offset) {
    STEPMARK_CUDA_CHECK(cudaMalloc(&data_, bytes_ + offset_));
    STEPMARK_CUDA_CHECK(cudaMemcpy(begin(), host.whole().data(), bytes_, cudaMemcpyHostToDevice));
  }
  ~DeviceCopy() { cuda::log_cuda_error(cudaFree(data_), "cudaFree"); }
  DeviceCopy(const DeviceCopy&) = delete;
  DeviceCopy& operator=(const DeviceCopy&) = delete;
  [[nodiscard]] void* begin() const { return static_cast<std::byte*>(data_) + offset_; }
  void copy_back(GuardedBuffer& host) const {
    STEPMARK_CUDA_CHECK(cudaMemcpy(host.whole().data(), begin(), bytes_, cudaMemcpyDeviceToHost));
  }

 private:
  void* data_ = nullptr;
  std::size_t bytes_, offset_;
};

// An operand that lies in the memory of another one.
struct InPlace {
  std::size_t operand, memory_of;
};

// What the CUDA kernel leaves in the operands, each with its guard zones on the device; misaligned:
// operands are aligned to their element size only.
inline HostResult run_cuda(const OpShape& shape, const Values& before, bool misaligned,
                           std::optional<InPlace> in_place = std::nullopt) {
  cuda::KernelContext context;
  return run_with(shape, before, [&](std::vector<GuardedBuffer>& buffers) {
    std::vector<std::unique_ptr<DeviceCopy>> copies;
    std::vector<void*> operands;
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      const std::size_t offset = misaligned ? size_of(dtype_of(shape, i)) : 0;
      copies.push_back(std::make_unique<DeviceCopy>(buffers[i], offset));
      const auto guard =
          static_cast<std::byte*>(copies.back()->begin()) + GuardedBuffer::kGuardBytes;
      operands.push_back(before[i].empty() ? nullptr : guard);
    }
    if (in_place) operands[in_place->operand] = operands[in_place->memory_of];
    cuda::prepare(shape, operands.data(), context)(nullptr);
    STEPMARK_CUDA_CHECK(cudaDeviceSynchronize());
    if (in_place) std::swap(copies[in_place->operand], copies[in_place->memory_of]);
    for (std::size_t i = 0; i < buffers.size(); ++i) copies[i]->copy_back(buffers[i]);
  });
}

}  // namespace stepmark::test
