// SPDX-License-Identifier: Apache-2.0
// The GPU's clock as nanoseconds since the device was made. CUDA tells times between events only,
// as a float of milliseconds: exact to its 0.5 us resolution while they are within some seconds,
// and to 6e-8 of the time between them beyond. So the event that times refer to moves along.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <mutex>

#include "core/cuda/handles.h"
#include "harness/exec/cuda/cuda_wait.h"

namespace stepmark {

class CudaClock {
 public:
  // Of the current device, from now on.
  explicit CudaClock(CudaWait& wait);
  // Of an event with time that was reached. Any thread; the device must be current.
  [[nodiscard]] std::int64_t time_ns(cudaEvent_t event);

 private:
  void move_reference();

  CudaWait& wait_;
  std::mutex mutex_;
  cuda::StreamOwner stream_;
  cuda::EventOwner reference_;
  double reference_ns_ = 0;
};

}  // namespace stepmark
