// SPDX-License-Identifier: Apache-2.0
// One line of `doctor`: what was looked at, how it is, what to do about it.
#pragma once

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
  switch (health) {
    case Health::good:
      return "ok";
    case Health::note:
      return "note";
    case Health::warning:
      return "warning";
    case Health::broken:
      return "BROKEN";
  }
  return "?";
}

}  // namespace stepmark
