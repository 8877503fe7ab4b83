// SPDX-License-Identifier: Apache-2.0
// Events of the emulated CUDA runtime. Their times are those of the machine's steady clock.
#include <algorithm>
#include <chrono>

#include "tests/emulation/runtime/runtime.h"

namespace stepmark::emulation {

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

namespace {

CUevent_st* event_of(cudaEvent_t handle) {
  return handle != nullptr && handle->alive ? handle : nullptr;
}

Step record_step(std::shared_ptr<Record> record) {
  return [record = std::move(record)] {
    record->time_ns = now_ns();
    record->reached = true;
    return Progress::done;
  };
}

Step wait_step(std::shared_ptr<Record> record) {
  return [record = std::move(record)] { return record->reached ? Progress::done : Progress::none; };
}

cudaError_t record_event(CUevent_st& event, CUstream_st& stream, bool external) {
  if (event.device != stream.device) return cudaErrorInvalidResourceHandle;
  if (stream.capture && !external) {
    if (stream.capture->invalid) return cudaErrorStreamCaptureInvalidated;
    event.record = nullptr;
    event.capture = stream.capture;
    event.nodes = stream.last;
    return cudaSuccess;
  }
  if (stream.capture) {  // a node that records anew in every launch
    event.record = std::make_shared<Record>();
    event.capture = nullptr;
    return append(stream, [record = event.record]() -> Step {
      return [record] {
        record->time_ns = now_ns();
        record->reached = true;
        return Progress::done;
      };
    });
  }
  event.record = std::make_shared<Record>();
  event.capture = nullptr;
  return append(stream, [record = event.record] { return record_step(record); });
}

// The stream becomes part of the capture that the event was recorded in, if it is not yet.
cudaError_t wait_in_capture(CUstream_st& stream, const CUevent_st& event) {
  const auto& captures = runtime().captures;
  if (!event.capture ||
      std::find(captures.begin(), captures.end(), event.capture) == captures.end()) {
    if (stream.capture) stream.capture->invalid = true;
    return event.capture ? cudaErrorCapturedEvent : cudaErrorStreamCaptureIsolation;
  }
  if (event.capture->invalid) return cudaErrorStreamCaptureInvalidated;
  if (!stream.capture) {
    stream.capture = event.capture;
    stream.last.clear();
    event.capture->streams.push_back(&stream);
  } else if (stream.capture != event.capture) {
    stream.capture->invalid = event.capture->invalid = true;
    return cudaErrorStreamCaptureMerge;
  }
  for (const std::size_t node : event.nodes) {
    if (std::find(stream.last.begin(), stream.last.end(), node) == stream.last.end()) {
      stream.last.push_back(node);
    }
  }
  return cudaSuccess;
}

bool to_be_ignored() {
  int& n = runtime().waits_until_ignored;
  return n > 0 && --n == 0;
}

}  // namespace
}  // namespace stepmark::emulation

using namespace stepmark::emulation;

extern "C" {

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  return api([&](Lock&) {
    auto made = std::make_unique<CUevent_st>();
    made->flags = flags;
    made->device = current_device();
    *event = runtime().events.emplace_back(std::move(made)).get();
    return cudaSuccess;
  });
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, 0); }

cudaError_t cudaEventDestroy(cudaEvent_t handle) {
  return api([&](Lock&) {
    CUevent_st* event = event_of(handle);
    if (event == nullptr) return cudaErrorInvalidResourceHandle;
    event->alive = false;
    return cudaSuccess;
  });
}

cudaError_t cudaEventRecordWithFlags(cudaEvent_t handle, cudaStream_t stream_handle,
                                     unsigned flags) {
  return api([&](Lock&) {
    CUevent_st* event = event_of(handle);
    CUstream_st* stream = stream_of(stream_handle);
    if (event == nullptr || stream == nullptr) return cudaErrorInvalidResourceHandle;
    const bool external = flags == cudaEventRecordExternal;
    if (external && !stream->capture) return cudaErrorIllegalState;
    return record_event(*event, *stream, external);
  });
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return cudaEventRecordWithFlags(event, stream, cudaEventRecordDefault);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream_handle, cudaEvent_t handle, unsigned) {
  return api([&](Lock&) {
    const CUevent_st* event = event_of(handle);
    CUstream_st* stream = stream_of(stream_handle);
    if (event == nullptr || stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (to_be_ignored()) return cudaSuccess;
    if (event->capture || (stream->capture && event->record)) {
      return wait_in_capture(*stream, *event);
    }
    if (!event->record) return cudaSuccess;  // never recorded: nothing to wait for
    return append(*stream, [record = event->record] { return wait_step(record); });
  });
}

cudaError_t cudaEventQuery(cudaEvent_t handle) {
  return api([&](Lock& lock) {
    if (const cudaError_t status = check_no_capture(); status != cudaSuccess) return status;
    const CUevent_st* event = event_of(handle);
    if (event == nullptr) return cudaErrorInvalidResourceHandle;
    if (event->capture) return cudaErrorCapturedEvent;
    if (!event->record) return cudaSuccess;
    const std::shared_ptr<Record> record = event->record;
    if (const cudaError_t status = advance(lock); status != cudaSuccess) return status;
    return record->reached ? cudaSuccess : cudaErrorNotReady;
  });
}
cudaError_t cudaEventSynchronize(cudaEvent_t handle) {
  return api([&](Lock& lock) {
    if (const cudaError_t status = check_no_capture(); status != cudaSuccess) return status;
    const CUevent_st* event = event_of(handle);
    if (event == nullptr) return cudaErrorInvalidResourceHandle;
    if (event->capture) return cudaErrorCapturedEvent;
    if (!event->record) return cudaSuccess;
    return run_until(lock, [record = event->record] { return record->reached.load(); });
  });
}

cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t begin_handle, cudaEvent_t end_handle) {
  return api([&](Lock&) {
    const CUevent_st* begin = event_of(begin_handle);
    const CUevent_st* end = event_of(end_handle);
    for (const CUevent_st* event : {begin, end}) {
      if (event == nullptr || (event->flags & cudaEventDisableTiming) != 0) {
        return cudaErrorInvalidResourceHandle;
      }
      if (event->capture) return cudaErrorCapturedEvent;
      if (!event->record) return cudaErrorInvalidResourceHandle;
    }
    if (begin->device != end->device) return cudaErrorInvalidResourceHandle;
    if (!begin->record->reached || !end->record->reached) return cudaErrorNotReady;
    *ms = static_cast<float>(end->record->time_ns - begin->record->time_ns) * 1e-6F;
    return cudaSuccess;
  });
}

}  // extern "C"
