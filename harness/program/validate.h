// SPDX-License-Identifier: Apache-2.0
// Checks the programs of all ranks together, without running anything: in range and in order, every
// group sees the same collectives in the same order, sends match receives in size and type, nothing
// waits in a circle. Errors show what every rank of the group would do at the place of the mistake.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "harness/program/program.h"

namespace stepmark {

// Problems found, most basic first; empty = valid. Later checks run only when earlier ones pass.
[[nodiscard]] std::vector<std::string> problems(std::span<const Program> programs);
// Error(kUsage) with the problems when there are any.
void validate(std::span<const Program> programs);

}  // namespace stepmark
