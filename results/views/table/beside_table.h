// SPDX-License-Identifier: Apache-2.0
// Figures of others under a report's own.
#pragma once

#include <span>
#include <string>

#include "results/record/journal.h"

namespace stepmark {

// Of every set and family those that say most in few lines: of figures against a number, such as a
// size, the largest. Empty where nothing stands beside; a line that says so where none of what
// stands beside is of what was measured.
[[nodiscard]] std::string beside_table(std::span<const Run> runs);

}  // namespace stepmark
