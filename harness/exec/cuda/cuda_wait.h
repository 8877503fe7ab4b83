// SPDX-License-Identifier: Apache-2.0
// How the host waits for the GPU: by asking, so that it can look after other things meanwhile, and
// with pauses, so that it leaves the core to others.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>

namespace stepmark {

class CudaWait {
 public:
  void set_health_check(std::function<void()> check) { check_ = std::move(check); }

  // Until all work of the stream, or what the event was last recorded after, has ended. Error for
  // work that failed, or whatever the health check throws. The device must be current.
  void for_stream(cudaStream_t stream) const;
  void for_event(cudaEvent_t event) const;
  // As for_stream without health check, for at most so long; false when it is still under way or
  // has failed. For clearing up after a failure.
  [[nodiscard]] static bool briefly(cudaStream_t stream, double seconds) noexcept;

 private:
  template <class Query>
  void until(Query query, const char* expression) const;

  std::function<void()> check_;
};

}  // namespace stepmark
