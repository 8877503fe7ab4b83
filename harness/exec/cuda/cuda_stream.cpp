// SPDX-License-Identifier: Apache-2.0
// A task runs on the submitting thread and enqueues; a failure is kept and thrown at synchronize(),
// as on the host. An event is queried, never waited for, when its time is asked.
#include "harness/exec/cuda/cuda_stream.h"

#include <utility>

#include "core/cuda/check.h"
#include "core/error.h"

namespace stepmark {
namespace {

CudaEvent& as_cuda_event(Event& event) {
  auto* own = dynamic_cast<CudaEvent*>(&event);
  STEPMARK_CHECK(own != nullptr, "event belongs to another device");
  return *own;
}

// Lower numbers go first. A device with two priorities has none below the normal one.
int priority_of(std::string_view name) {
  int lowest = 0, highest = 0;
  STEPMARK_CUDA_CHECK(cudaDeviceGetStreamPriorityRange(&lowest, &highest));
  if (name.ends_with("-high")) return highest;
  return name.ends_with("-low") || lowest - highest < 2 ? lowest : lowest - 1;
}

}  // namespace

void CudaEvent::synchronize() {
  device_.make_current();
  device_.wait().for_event(event_.get());
}

std::int64_t CudaEvent::time_ns() const {
  if (!recorded_) return -1;
  device_.make_current();
  const cudaError_t status = cudaEventQuery(event_.get());
  if (status == cudaErrorNotReady) {
    (void)cudaGetLastError();
    return known_ns_;
  }
  cuda::check(status, "cudaEventQuery(event)");
  known_ns_ = device_.clock().time_ns(event_.get());
  return known_ns_;
}

CudaStream::CudaStream(CudaDevice& device, std::string name)
    : device_(device), name_(std::move(name)), stream_(cuda::make_stream(priority_of(name_))) {}

void CudaStream::submit(Task task) {
  if (failure_) return;
  device_.make_current();
  try {
    task();
  } catch (...) {
    failure_ = std::current_exception();
  }
}

void CudaStream::record(Event& event) {
  CudaEvent& own = as_cuda_event(event);
  STEPMARK_CUDA_CHECK(cudaEventRecord(own.native(), stream_.get()));
  own.set_recorded();
}

void CudaStream::wait(Event& event) {
  STEPMARK_CUDA_CHECK(cudaStreamWaitEvent(stream_.get(), as_cuda_event(event).native(), 0));
}

void CudaStream::synchronize() {
  device_.make_current();
  device_.wait().for_stream(stream_.get());
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

}  // namespace stepmark
