// SPDX-License-Identifier: Apache-2.0
// One line of `doctor`: what was looked at, how it is, what to do about it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace stepmark {

enum class Health : std::uint8_t { good, note, warning, broken };

struct Finding {
  std::string what;
  Health health = Health::good;
  std::string found;
  std::string advice;  // what to do; empty when good
};

[[nodiscard]] constexpr const char* name_of(Health health) {
  constexpr std::array<const char*, 4> kNames{"ok", "note", "warning", "BROKEN"};
  return kNames.at(static_cast<std::size_t>(health));
}

}  // namespace stepmark
