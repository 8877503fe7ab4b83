// SPDX-License-Identifier: Apache-2.0
// Efficiency over the number of GPUs as text for a terminal.
#pragma once

#include <span>
#include <string>

#include "results/record/journal.h"

namespace stepmark {

// Of everything that was measured at several sizes, under the tables of the runs. Empty where
// nothing was.
[[nodiscard]] std::string scaling_table(std::span<const Run> runs);

}  // namespace stepmark
