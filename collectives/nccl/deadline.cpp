// SPDX-License-Identifier: Apache-2.0
// The work runs in a detached thread with all it needs by value: at the limit it is left behind,
// since no CUDA or NCCL call can be cancelled.
#include "collectives/nccl/deadline.h"

#include <chrono>
#include <future>
#include <thread>
#include <utility>

namespace stepmark {

bool run_with_deadline(double seconds, std::function<void()> work) {
  // Not std::async, whose future waits for the thread when destroyed.
  std::packaged_task<void()> task(std::move(work));
  std::future<void> done = task.get_future();
  std::thread(std::move(task)).detach();
  if (done.wait_for(std::chrono::duration<double>(seconds)) != std::future_status::ready) {
    return false;
  }
  done.get();
  return true;
}

}  // namespace stepmark
