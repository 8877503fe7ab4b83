// SPDX-License-Identifier: Apache-2.0
// Steps one after the other on the host's clock, which is all that a device without a queue can do;
// the CUDA runnable enqueues them all first.
#include <chrono>

#include "core/error.h"
#include "harness/exec/executor.h"

namespace stepmark {

double Runnable::run_back_to_back(int steps) {
  STEPMARK_REQUIRE(steps > 0, "{} steps asked for, at least 1 is needed", steps);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < steps; ++i) run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace stepmark
