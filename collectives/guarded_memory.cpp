// SPDX-License-Identifier: Apache-2.0
// The guard pattern differs from byte to byte, so that a shifted copy of a guard shows too. Damage
// is reported nearest to the buffer first, where an overrun begins.
#include "collectives/guarded_memory.h"

#include <fmt/format.h>

#include <array>

namespace stepmark {
namespace {

using Guard = std::array<std::byte, kGuardBytes>;

// Differs from byte to byte, so that a shifted copy of a guard is found too.
constexpr Guard make_pattern() {
  Guard guard{};
  for (std::size_t i = 0; i < guard.size(); ++i) guard[i] = static_cast<std::byte>(i * 151 + 83);
  return guard;
}
constexpr Guard kPattern = make_pattern();

}  // namespace

GuardedMemory::GuardedMemory(Device& device, std::size_t bytes)
    : device_(&device),
      bytes_(bytes),
      memory_(device.allocate(zone_bytes(bytes))),
      zone_(static_cast<std::byte*>(memory_.data())) {}

GuardedMemory::GuardedMemory(Device& device, std::size_t bytes, void* zone)
    : device_(&device), bytes_(bytes), zone_(static_cast<std::byte*>(zone)) {}

std::byte* GuardedMemory::data() const { return zone_ + kGuardBytes; }

void GuardedMemory::write_guards() {
  device_->copy_to_device(data() - kGuardBytes, kPattern.data(), kGuardBytes);
  device_->copy_to_device(data() + bytes_, kPattern.data(), kGuardBytes);
}

std::string GuardedMemory::find_guard_damage() const {
  Guard guard;
  device_->copy_to_host(guard.data(), data() + bytes_, kGuardBytes);
  for (std::size_t i = 0; i < kGuardBytes; ++i) {
    if (guard[i] != kPattern[i]) return fmt::format("byte {} after the end", i);
  }
  device_->copy_to_host(guard.data(), data() - kGuardBytes, kGuardBytes);
  for (std::size_t i = kGuardBytes; i-- > 0;) {
    if (guard[i] != kPattern[i]) return fmt::format("byte {} before the start", kGuardBytes - i);
  }
  return {};
}

}  // namespace stepmark
