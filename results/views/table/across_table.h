// SPDX-License-Identifier: Apache-2.0
// Providers against each other, for a terminal: what was equal, who is how fast, what it costs,
// where it turns, what differed and what was assumed.
#pragma once

#include <string>

#include "results/across/across.h"

namespace stepmark {

[[nodiscard]] std::string across_table(const Across& across);

}  // namespace stepmark
