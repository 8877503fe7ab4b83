// SPDX-License-Identifier: Apache-2.0
// Bytes as text and back, by libsodium. Only one text stands for given bytes: what is
// not written as these functions write it is refused, so that no bit of a bundle is without
// meaning. Internal to results/seal.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/sha256.h"  // what is hashed is written as these functions write

namespace stepmark {

// Base64 of RFC 4648 with padding. Nothing for what is no base64, or has bits that say nothing.
[[nodiscard]] std::string to_base64(std::string_view bytes);
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);
// As above, but the URL-safe alphabet is read as well: signatures of other programs may use either.
[[nodiscard]] std::optional<std::string> from_any_base64(std::string_view text);

// Starts libsodium. Error(kEnvironment) when it cannot.
void start_sodium();

// Bytes as the library takes them.
[[nodiscard]] const unsigned char* unsigned_bytes(std::string_view bytes);
[[nodiscard]] unsigned char* unsigned_bytes(std::string& bytes);

}  // namespace stepmark
