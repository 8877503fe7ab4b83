// SPDX-License-Identifier: Apache-2.0
// What the kernels of one stream share: facts of the device and scratch memory.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <memory>

namespace stepmark::cuda {

// Device memory that grows while ops are prepared and whose address counts from the first enqueue
// on. Ops of one stream run one after another, so all of them may use the same.
class Scratch {
 public:
  Scratch() = default;
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  // While preparing: at least so many bytes. Contents are lost when it grows.
  void reserve(std::size_t bytes);
  // While enqueueing. Aligned to 256 bytes; null when nothing was reserved.
  [[nodiscard]] void* data() const { return data_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

class KernelContext {
 public:
  // Of the current device.
  KernelContext();

  [[nodiscard]] int device() const { return device_; }
  [[nodiscard]] int sm_count() const { return sm_count_; }
  [[nodiscard]] int compute_capability() const { return compute_capability_; }  // 90 for 9.0
  [[nodiscard]] std::size_t l2_bytes() const { return l2_bytes_; }
  // Shared memory that a block can have, when it asks for it.
  [[nodiscard]] std::size_t block_shared_bytes() const { return block_shared_bytes_; }
  // Shared with the ops that reserve it.
  [[nodiscard]] const std::shared_ptr<Scratch>& scratch() const { return scratch_; }

 private:
  int device_ = 0, sm_count_ = 0, compute_capability_ = 0;
  std::size_t l2_bytes_ = 0, block_shared_bytes_ = 0;
  std::shared_ptr<Scratch> scratch_ = std::make_shared<Scratch>();
};

}  // namespace stepmark::cuda
