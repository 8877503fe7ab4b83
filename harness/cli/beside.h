// SPDX-License-Identifier: Apache-2.0
// What `report --beside` names.
#pragma once

#include <string>

#include "results/record/journal.h"

namespace stepmark {

// "published:h100", the figures that the program carries of it, or a journal, or a file that
// `import` reads, as a run that stands beside others. Error(kUsage) for what is neither.
[[nodiscard]] Run read_beside(const std::string& name);

}  // namespace stepmark
