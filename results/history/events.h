// SPDX-License-Identifier: Apache-2.0
// Changes of single cases as events of a line. Internal to results/history.
#pragma once

#include <vector>

#include "results/history/check.h"
#include "results/history/database.h"

namespace stepmark {

// Runs this far apart show one event: noise moves where a change is found.
inline constexpr std::int64_t kOneEvent = 2;

// The events of a line, oldest first. Alarms get their numbers, which the file keeps: in the
// caller's transaction.
[[nodiscard]] std::vector<HistoryEvent> events_of(const Database& database, const HistoryLine& line,
                                                  const ChangeOptions& options);

}  // namespace stepmark
