// SPDX-License-Identifier: Apache-2.0
// SHA-256 of files and texts, by libsodium.
#pragma once

#include <string>
#include <string_view>

namespace stepmark {

// 64 lower-case hexadecimal digits. Error(kEnvironment) when libsodium cannot start.
[[nodiscard]] std::string sha256(std::string_view bytes);
// Likewise, and when the file cannot be read.
[[nodiscard]] std::string sha256_of_file(const std::string& path);

}  // namespace stepmark
