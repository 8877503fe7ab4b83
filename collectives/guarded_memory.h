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
  [[nodiscard]] std::byte* data() const;  // kGuardBytes into the allocation, hence aligned alike
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

  void write_guards();
  // Empty when both guards are as written, else where the first changed byte is:
  // "byte 3 after the end", "byte 8 before the start".
  [[nodiscard]] std::string find_guard_damage() const;

 private:
  Device* device_;
  std::size_t bytes_;
  Memory memory_;
};

}  // namespace stepmark
