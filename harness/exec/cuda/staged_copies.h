// SPDX-License-Identifier: Apache-2.0
// Copies between pageable host memory and the GPU through two pinned buffers: while one is on its
// way, the host fills or empties the other.
#pragma once

#include <array>
#include <cstddef>
#include <mutex>

#include "core/cuda/handles.h"
#include "harness/exec/cuda/cuda_wait.h"

namespace stepmark {

class StagedCopies {
 public:
  // On the current device.
  explicit StagedCopies(const CudaWait& wait);
  ~StagedCopies();
  StagedCopies(const StagedCopies&) = delete;
  StagedCopies& operator=(const StagedCopies&) = delete;

  // Complete when they return. Any thread, one at a time; the device must be current.
  void to_device(void* device, const void* host, std::size_t bytes);
  void to_host(void* host, const void* device, std::size_t bytes);

  static constexpr std::size_t kChunkBytes = std::size_t{4} << 20;

 private:
  struct Buffer {
    std::byte* data = nullptr;
    cuda::EventOwner ended;  // of its last copy
  };

  const CudaWait& wait_;
  std::mutex mutex_;
  cuda::StreamOwner stream_;
  std::array<Buffer, 2> buffers_;
};

}  // namespace stepmark
