// SPDX-License-Identifier: Apache-2.0
// An event per buffer says when it is free again. Chunks are large beside the cost of a call, and
// two of them keep the copy engine busy.
#include "harness/exec/cuda/staged_copies.h"

#include <algorithm>
#include <cstring>

#include "core/cuda/check.h"

namespace stepmark {

StagedCopies::StagedCopies(const CudaWait& wait) : wait_(wait), stream_(cuda::make_stream()) {
  for (Buffer& buffer : buffers_) {
    buffer.ended = cuda::make_order_event();
    void* data = nullptr;
    STEPMARK_CUDA_CHECK(cudaMallocHost(&data, kChunkBytes));
    buffer.data = static_cast<std::byte*>(data);
  }
}

StagedCopies::~StagedCopies() {
  for (const Buffer& buffer : buffers_) {
    cuda::log_cuda_error(cudaFreeHost(buffer.data), "cudaFreeHost(buffer)");
  }
}

void StagedCopies::to_device(void* device, const void* host, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  const auto* from = static_cast<const std::byte*>(host);
  auto* to = static_cast<std::byte*>(device);
  for (std::size_t done = 0, chunk = 0; done < bytes; done += kChunkBytes, ++chunk) {
    const Buffer& buffer = buffers_[chunk % buffers_.size()];
    const std::size_t part = std::min(kChunkBytes, bytes - done);
    wait_.for_event(buffer.ended.get());
    std::memcpy(buffer.data, from + done, part);
    STEPMARK_CUDA_CHECK(
        cudaMemcpyAsync(to + done, buffer.data, part, cudaMemcpyHostToDevice, stream_.get()));
    STEPMARK_CUDA_CHECK(cudaEventRecord(buffer.ended.get(), stream_.get()));
  }
  wait_.for_stream(stream_.get());
}

void StagedCopies::to_host(void* host, const void* device, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  const auto* from = static_cast<const std::byte*>(device);
  auto* to = static_cast<std::byte*>(host);
  const std::size_t chunks = (bytes + kChunkBytes - 1) / kChunkBytes;
  const auto part_of = [&](std::size_t chunk) {
    return std::min(kChunkBytes, bytes - chunk * kChunkBytes);
  };
  // One round more than there are chunks: each round enqueues one and empties the one before.
  for (std::size_t round = 0; round <= chunks; ++round) {
    if (round < chunks) {
      const Buffer& buffer = buffers_[round % buffers_.size()];
      STEPMARK_CUDA_CHECK(cudaMemcpyAsync(buffer.data, from + round * kChunkBytes, part_of(round),
                                          cudaMemcpyDeviceToHost, stream_.get()));
      STEPMARK_CUDA_CHECK(cudaEventRecord(buffer.ended.get(), stream_.get()));
    }
    if (round > 0) {
      const Buffer& buffer = buffers_[(round - 1) % buffers_.size()];
      wait_.for_event(buffer.ended.get());
      std::memcpy(to + (round - 1) * kChunkBytes, buffer.data, part_of(round - 1));
    }
  }
}

}  // namespace stepmark
