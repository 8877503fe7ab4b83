// SPDX-License-Identifier: Apache-2.0
// A buffer between two guard zones, so that a write before or behind it is found.
#pragma once

#include <cstddef>
#include <string>

#include "core/device.h"

namespace stepmark {

inline constexpr std::size_t kGuardBytes = 4096;

class GuardedMemory {
 public:
  // `device` must outlive it. Allocates `bytes` and the guards; nothing is initialised.
  GuardedMemory(Device& device, std::size_t bytes);
  // The same in memory of somebody else, who keeps it: zone_bytes(bytes) from `zone` on.
  GuardedMemory(Device& device, std::size_t bytes, void* zone);
  [[nodiscard]] static constexpr std::size_t zone_bytes(std::size_t bytes) {
    return bytes + 2 * kGuardBytes;
  }
  [[nodiscard]] std::byte* data() const;  // kGuardBytes into the zone, hence aligned alike
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

  void write_guards();
  // Empty when both guards are as written, else where the first changed byte is:
  // "byte 3 after the end", "byte 8 before the start".
  [[nodiscard]] std::string find_guard_damage() const;

 private:
  Device* device_;
  std::size_t bytes_;
  Memory memory_;  // empty: the zone is somebody else's
  std::byte* zone_;
};

}  // namespace stepmark
