// SPDX-License-Identifier: Apache-2.0
// What several commands' words share: checks of values while the command line is parsed, with the
// parsers of core/units, and texts of their help.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "core/error.h"

namespace stepmark {

inline constexpr const char* kExitCodes =
    "Exit codes: 0 all measured and passed, 1 a check failed, 2 usage or configuration error,\n"
    "3 some cases were not measured, 4 environment unusable.";

inline constexpr const char* kAcceptDamaged =
    "Read on behind lines that do not fit their hashes, and label what they hold";

// A text that `parse` understands; what it throws is the message. `what`: the value's name in help.
template <class Parse>
CLI::Validator parsed_by(Parse parse, const char* what) {
  return CLI::Validator(
      [parse](std::string& text) {
        try {
          (void)parse(text);
          return std::string();
        } catch (const Error& error) {
          return error.message();
        }
      },
      what);
}

// A whole number in a range, said before anything is made of it.
[[nodiscard]] CLI::Validator whole(std::int64_t least, std::int64_t most);

}  // namespace stepmark
