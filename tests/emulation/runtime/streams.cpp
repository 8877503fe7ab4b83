// SPDX-License-Identifier: Apache-2.0
// Streams of the emulated CUDA runtime.
#include <algorithm>

#include "core/cuda/check.h"
#include "tests/emulation/runtime/emulated_stream.h"
#include "tests/emulation/runtime/runtime.h"

namespace stepmark::emulation {
namespace {

constexpr int kLowestPriority = 0;
constexpr int kHighestPriority = -5;

// Destroyed streams that have run dry: no longer looked at, but still there for who uses them.
void bury_the_dead() {
  Runtime& r = runtime();
  for (auto& stream : r.streams) {
    if (!stream->alive && stream->queue.empty()) r.graveyard.push_back(std::move(stream));
  }
  std::erase(r.streams, nullptr);
}

CUstream_st& new_stream(int device, unsigned flags, int priority) {
  auto stream = std::make_unique<CUstream_st>();
  stream->device = device;
  stream->flags = flags;
  stream->priority = std::clamp(priority, kHighestPriority, kLowestPriority);
  bury_the_dead();
  return *runtime().streams.emplace_back(std::move(stream));
}

// One per device, made at first use; told from others by this flag, which the user cannot set.
constexpr unsigned kLegacyFlag = 1U << 31;

CUstream_st& legacy_stream(int device) {
  for (const auto& stream : runtime().streams) {
    if (is_legacy(*stream) && stream->device == device) return *stream;
  }
  return new_stream(device, kLegacyFlag, 0);
}

bool is_blocking(const CUstream_st& stream) {
  return !is_legacy(stream) && (stream.flags & cudaStreamNonBlocking) == 0;
}

void wait_for_all_of(CUstream_st& stream, CUstream_st& other) {
  const std::uint64_t target = other.enqueued;
  if (other.done >= target) return;
  push(stream, [&other, target] { return other.done >= target ? Progress::done : Progress::none; });
}

// The legacy stream and streams that are not non-blocking wait for each other.
void order_with_legacy(CUstream_st& stream) {
  if (is_blocking(stream)) return wait_for_all_of(stream, legacy_stream(stream.device));
  if (!is_legacy(stream)) return;
  for (const auto& other : runtime().streams) {
    if (other->device == stream.device && is_blocking(*other)) wait_for_all_of(stream, *other);
  }
}

cudaError_t enqueue_node(cudaStream_t handle, std::function<Step()> make) {
  return api([&](Lock&) {
    CUstream_st* stream = stream_of(handle);
    if (stream == nullptr || stream->device != current_device()) {
      return cudaErrorInvalidResourceHandle;
    }
    return append(*stream, std::move(make));
  });
}

}  // namespace

bool is_legacy(const CUstream_st& stream) { return (stream.flags & kLegacyFlag) != 0; }

CUstream_st* stream_of(cudaStream_t handle) {
  if (handle == nullptr || handle == cudaStreamLegacy) return &legacy_stream(current_device());
  if (handle == cudaStreamPerThread) return nullptr;  // not emulated
  return handle->alive ? handle : nullptr;
}

cudaError_t check_legacy_use() {
  for (const auto& capture : runtime().captures) {
    if (capture->origin->device == current_device() && is_blocking(*capture->origin)) {
      capture->invalid = true;
      return cudaErrorStreamCaptureImplicit;
    }
  }
  return cudaSuccess;
}

cudaError_t append(CUstream_st& stream, std::function<Step()> make) {
  if (stream.capture) {
    if (stream.capture->invalid) return cudaErrorStreamCaptureInvalidated;
    std::vector<Node>& nodes = stream.capture->graph->nodes;
    nodes.push_back({std::move(make), stream.last});
    stream.last = {nodes.size() - 1};
    return cudaSuccess;
  }
  if (is_legacy(stream)) {
    if (const cudaError_t status = check_legacy_use(); status != cudaSuccess) return status;
  }
  order_with_legacy(stream);
  push(stream, make());
  return cudaSuccess;
}

cudaError_t append_work(CUstream_st& stream, std::function<void()> work) {
  return append(stream, [work = std::move(work)]() -> Step {
    return [work] {
      work();
      return Progress::done;
    };
  });
}

void enqueue(cudaStream_t stream, std::function<void()> work) {
  STEPMARK_CUDA_CHECK(enqueue_node(stream, [work = std::move(work)]() -> Step {
    return [work] {
      work();
      return Progress::done;
    };
  }));
}

void enqueue_polled(cudaStream_t stream, std::function<bool()> work) {
  STEPMARK_CUDA_CHECK(enqueue_node(stream, [work = std::move(work)]() -> Step {
    return [work] { return work() ? Progress::done : Progress::none; };
  }));
}

}  // namespace stepmark::emulation

using namespace stepmark::emulation;

extern "C" {

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int priority) {
  return api([&](Lock&) {
    if (flags > cudaStreamNonBlocking) return cudaErrorInvalidValue;
    *stream = &new_stream(current_device(), flags, priority);
    return cudaSuccess;
  });
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return cudaStreamCreateWithPriority(stream, flags, 0);
}
cudaError_t cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithFlags(stream, 0); }

cudaError_t cudaStreamDestroy(cudaStream_t handle) {
  return api([&](Lock&) {
    CUstream_st* stream = stream_of(handle);
    if (stream == nullptr || is_legacy(*stream)) return cudaErrorInvalidResourceHandle;
    if (stream->capture) {
      stream->capture->invalid = true;
      return cudaErrorStreamCaptureUnsupported;
    }
    stream->alive = false;  // what is in it still runs
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetStreamPriorityRange(int* lowest, int* highest) {
  if (lowest != nullptr) *lowest = kLowestPriority;
  if (highest != nullptr) *highest = kHighestPriority;
  return cudaSuccess;
}
cudaError_t cudaStreamGetPriority(cudaStream_t handle, int* priority) {
  return api([&](Lock&) {
    const CUstream_st* stream = stream_of(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    *priority = stream->priority;
    return cudaSuccess;
  });
}
cudaError_t cudaStreamGetFlags(cudaStream_t handle, unsigned* flags) {
  return api([&](Lock&) {
    const CUstream_st* stream = stream_of(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    *flags = stream->flags & cudaStreamNonBlocking;
    return cudaSuccess;
  });
}

cudaError_t cudaStreamQuery(cudaStream_t handle) {
  return api([&](Lock& lock) {
    CUstream_st* stream = stream_of(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (stream->capture) {
      stream->capture->invalid = true;
      return cudaErrorStreamCaptureUnsupported;
    }
    if (const cudaError_t status = advance(lock); status != cudaSuccess) return status;
    return stream->done >= stream->enqueued ? cudaSuccess : cudaErrorNotReady;
  });
}
cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
  return api([&](Lock& lock) {
    CUstream_st* stream = stream_of(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (stream->capture) {
      stream->capture->invalid = true;
      return cudaErrorStreamCaptureUnsupported;
    }
    return drain(lock, *stream);
  });
}
cudaError_t cudaDeviceSynchronize() {
  return api([](Lock& lock) {
    if (!runtime().captures.empty()) {
      for (const auto& capture : runtime().captures) capture->invalid = true;
      return cudaErrorStreamCaptureUnsupported;
    }
    return drain_device(lock, current_device());
  });
}

cudaError_t cudaLaunchHostFunc(cudaStream_t handle, cudaHostFn_t function, void* data) {
  return api([&](Lock&) {
    CUstream_st* stream = stream_of(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    return append_work(*stream, [=] { function(data); });
  });
}

}  // extern "C"
