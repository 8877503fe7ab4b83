// SPDX-License-Identifier: Apache-2.0
// Device memory from a pool that keeps what is freed: a case that follows another asks the driver
// for nothing.
#pragma once

#include <memory>
#include <string>

#include "core/device.h"
#include "harness/exec/cuda/cuda_wait.h"

namespace stepmark {

class CudaMemory {
 public:
  // Of GPU `ordinal`, which must be current; `gpu` names it in errors.
  CudaMemory(int ordinal, std::string gpu, const CudaWait& wait);
  // See CudaDevice::allocate(). What it returns may outlive this object.
  [[nodiscard]] Memory allocate(std::size_t bytes);

 private:
  struct Pool;
  std::shared_ptr<Pool> pool_;
  std::string gpu_;
  const CudaWait& wait_;
};

}  // namespace stepmark
