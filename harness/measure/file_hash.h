// SPDX-License-Identifier: Apache-2.0
// SHA-256 of a file, by libsodium. Internal to harness/measure.
#pragma once

#include <string>

namespace stepmark {

// Lower-case hexadecimal. Error(kEnvironment) when the file cannot be read.
[[nodiscard]] std::string sha256_of_file(const std::string& path);

}  // namespace stepmark
