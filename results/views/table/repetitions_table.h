// SPDX-License-Identifier: Apache-2.0
// What the repetitions of a run say of each other. Internal to results/views/table.
#pragma once

#include <string>

#include "results/record/journal.h"

namespace stepmark {

// Cases of several repetitions with their spread and medians, and what was not measured of which;
// empty where a run has one repetition.
[[nodiscard]] std::string repetitions_table(const Run& run);

}  // namespace stepmark
