// SPDX-License-Identifier: Apache-2.0
// The measured cases of a family as text, as its Table says. Internal to results/views/table.
#pragma once

#include <string>

#include "results/families/family.h"
#include "results/record/journal.h"

namespace stepmark {

// Empty where the run has no such case.
[[nodiscard]] std::string family_table(const Run& run, const Family& family);

}  // namespace stepmark
