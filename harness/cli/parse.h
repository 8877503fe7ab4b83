// SPDX-License-Identifier: Apache-2.0
// The command line as a grammar: CLI11 stays behind this header, since it is slow to compile.
#pragma once

#include <functional>

#include "core/error.h"

namespace stepmark {

// Parses and runs the chosen command. Usage mistakes are printed with the nearest valid name and
// give ExitCode::kUsage; errors of commands are the caller's.
[[nodiscard]] ExitCode parse_and_run(int argc, char** argv);

}  // namespace stepmark
