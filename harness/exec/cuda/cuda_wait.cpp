// SPDX-License-Identifier: Apache-2.0
// Queries with growing pauses: short waits spin, long ones leave the core. Every 10 ms the check of
// the communicators runs, so that a failed peer ends the wait.
#include "harness/exec/cuda/cuda_wait.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "core/cuda/check.h"

namespace stepmark {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kSpin = 20us;  // short waits end without a pause
constexpr auto kFirstPause = 5us;
constexpr auto kLongestPause = 50us;
constexpr auto kCheckEvery = 10ms;

// Not ready is an answer and no error, but the runtime keeps it as its last error, where the check
// after the next kernel launch would find it.
bool not_ready(cudaError_t status) {
  if (status != cudaErrorNotReady) return false;
  (void)cudaGetLastError();
  return true;
}

}  // namespace

template <class Query>
void CudaWait::until(Query query, const char* expression) const {
  const Clock::time_point begin = Clock::now();
  Clock::time_point next_check = begin + kCheckEvery;
  Clock::duration pause = kFirstPause;
  for (;;) {
    const cudaError_t status = query();
    if (!not_ready(status)) return cuda::check(status, expression);
    const Clock::time_point now = Clock::now();
    if (now - begin < kSpin) continue;
    if (check_ && now >= next_check) {
      check_();
      next_check = now + kCheckEvery;
    }
    std::this_thread::sleep_for(pause);
    pause = std::min<Clock::duration>(pause * 2, kLongestPause);
  }
}

void CudaWait::for_stream(cudaStream_t stream) const {
  until([stream] { return cudaStreamQuery(stream); }, "cudaStreamQuery(stream)");
}

void CudaWait::for_event(cudaEvent_t event) const {
  until([event] { return cudaEventQuery(event); }, "cudaEventQuery(event)");
}

bool CudaWait::briefly(cudaStream_t stream, double seconds) noexcept {
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  for (;;) {
    const cudaError_t status = cudaStreamQuery(stream);
    if (!not_ready(status)) return status == cudaSuccess;
    if (Clock::now() >= end) return false;
    std::this_thread::sleep_for(kLongestPause);
  }
}

}  // namespace stepmark
