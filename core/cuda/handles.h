// SPDX-License-Identifier: Apache-2.0
// Owners of CUDA's streams, events and graphs. Failures of destruction are logged.
#pragma once

#include <cuda_runtime_api.h>

#include <memory>
#include <type_traits>

#include "core/cuda/check.h"

namespace stepmark::cuda {

template <class Handle, cudaError_t (*kDestroy)(Handle)>
struct Destroy {
  using pointer = Handle;
  void operator()(Handle handle) const noexcept {
    log_cuda_error(kDestroy(handle), "destroying a stream, event or graph");
  }
};
template <class Handle, cudaError_t (*kDestroy)(Handle)>
using Owner = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy<Handle, kDestroy>>;

using StreamOwner = Owner<cudaStream_t, &cudaStreamDestroy>;
using EventOwner = Owner<cudaEvent_t, &cudaEventDestroy>;
using GraphOwner = Owner<cudaGraph_t, &cudaGraphDestroy>;
using GraphExecOwner = Owner<cudaGraphExec_t, &cudaGraphExecDestroy>;

// Does not wait for the legacy stream, nor it for this one.
[[nodiscard]] inline StreamOwner make_stream(int priority = 0) {
  cudaStream_t stream = nullptr;
  STEPMARK_CUDA_CHECK(cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, priority));
  return StreamOwner(stream);
}
// For order among streams only: cheaper than one that notes the time.
[[nodiscard]] inline EventOwner make_order_event() {
  cudaEvent_t event = nullptr;
  STEPMARK_CUDA_CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  return EventOwner(event);
}
[[nodiscard]] inline EventOwner make_timing_event() {
  cudaEvent_t event = nullptr;
  STEPMARK_CUDA_CHECK(cudaEventCreateWithFlags(&event, cudaEventDefault));
  return EventOwner(event);
}

// Both reached, same device, with times. About 0.5 us.
[[nodiscard]] inline double elapsed_ns(cudaEvent_t begin, cudaEvent_t end) {
  float ms = 0;
  STEPMARK_CUDA_CHECK(cudaEventElapsedTime(&ms, begin, end));
  return static_cast<double>(ms) * 1e6;
}

}  // namespace stepmark::cuda
