// SPDX-License-Identifier: Apache-2.0
// Passphrases from a terminal or a file, never from an argument: arguments are seen by everyone on
// the machine and stay in the shell's history.
#pragma once

#include <string>

namespace stepmark {

// The first line of the file. Error(kUsage) for an empty one, and where others may read the file.
[[nodiscard]] std::string passphrase_in(const std::string& file);

// Asked on the controlling terminal, whatever stdin and stdout are; what is typed is not shown.
// Error(kUsage) where there is no terminal.
[[nodiscard]] std::string ask_passphrase(const std::string& question);

}  // namespace stepmark
