// SPDX-License-Identifier: Apache-2.0
// The clock of a host, and of the host device, in nanoseconds.
#pragma once

#include <chrono>
#include <cstdint>

namespace stepmark {

[[nodiscard]] inline std::int64_t steady_ns() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace stepmark
