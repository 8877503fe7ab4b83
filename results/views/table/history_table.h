// SPDX-License-Identifier: Apache-2.0
// A history for a terminal.
#pragma once

#include <string>
#include <vector>

#include "results/history/history.h"

namespace stepmark {

// Runs by line, in the order given.
[[nodiscard]] std::string runs_table(const std::vector<HistoryRun>& runs);

}  // namespace stepmark
