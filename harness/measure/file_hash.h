// SPDX-License-Identifier: Apache-2.0
// SHA-256 of files and texts, by libsodium.
#pragma once

#include <string>
#include <string_view>

namespace stepmark {

// Lower-case hexadecimal. Error(kEnvironment) when the file cannot be read.
[[nodiscard]] std::string sha256_of_file(const std::string& path);
[[nodiscard]] std::string sha256_of_text(std::string_view text);

}  // namespace stepmark
