// SPDX-License-Identifier: Apache-2.0
// Network addresses in text: IPv4, IPv6, MAC and InfiniBand GUIDs. Internal to results/seal.
#pragma once

#include <cstddef>
#include <string_view>

namespace stepmark {

// Bytes of the address that begins at `at`, 0 where none does. Loopback, "any" and netmasks say
// nothing about anyone and are none; PCI addresses, times and versions of three parts are none.
[[nodiscard]] std::size_t address_at(std::string_view text, std::size_t at);

}  // namespace stepmark
