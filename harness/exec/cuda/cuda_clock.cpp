// SPDX-License-Identifier: Apache-2.0
// When an event lies more than a second behind the reference, a new reference is recorded and the
// distance added up in double.
#include "harness/exec/cuda/cuda_clock.h"

#include <cmath>

#include "core/cuda/check.h"

namespace stepmark {
namespace {

constexpr double kMoveAfterNs = 1e9;

}  // namespace

CudaClock::CudaClock(CudaWait& wait)
    : wait_(wait), stream_(cuda::make_stream()), reference_(cuda::make_timing_event()) {
  STEPMARK_CUDA_CHECK(cudaEventRecord(reference_.get(), stream_.get()));
  wait_.for_event(reference_.get());
}

std::int64_t CudaClock::time_ns(cudaEvent_t event) {
  const std::lock_guard lock(mutex_);
  double since_ns = cuda::elapsed_ns(reference_.get(), event);
  if (since_ns > kMoveAfterNs) {
    move_reference();
    since_ns = cuda::elapsed_ns(reference_.get(), event);
  }
  return std::llround(reference_ns_ + since_ns);
}

void CudaClock::move_reference() {
  cuda::EventOwner next = cuda::make_timing_event();
  STEPMARK_CUDA_CHECK(cudaEventRecord(next.get(), stream_.get()));
  wait_.for_event(next.get());
  reference_ns_ += cuda::elapsed_ns(reference_.get(), next.get());
  reference_ = std::move(next);
}

}  // namespace stepmark
