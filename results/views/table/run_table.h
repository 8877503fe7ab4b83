// SPDX-License-Identifier: Apache-2.0
// A run as text for a terminal. Pure; nothing is printed here.
#pragma once

#include <string>

#include "results/record/journal.h"

namespace stepmark {

// At most 100 columns (longer names are shortened in the middle), UTF-8, no escape sequences:
// the tables of every family, cases not measured with reasons, warnings, environment.
[[nodiscard]] std::string run_table(const Run& run);

}  // namespace stepmark
