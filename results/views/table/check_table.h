// SPDX-License-Identifier: Apache-2.0
// What a check of a history found, for a terminal.
#pragma once

#include <string>

#include "results/history/check.h"

namespace stepmark {

// Alarms in full; with `all` also what is acknowledged, has recovered or became faster, which else
// is counted in the last line. `all` lists every case of an event, else the largest.
[[nodiscard]] std::string check_table(const CheckResult& result, bool all);

}  // namespace stepmark
