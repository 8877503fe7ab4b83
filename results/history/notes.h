// SPDX-License-Identifier: Apache-2.0
// What people tell a history: events that they know of, and alarms that they have seen.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "results/history/check.h"
#include "results/history/history.h"

namespace stepmark {

// At a run (of its line), or at a time (of all lines): "driver 550.2". Error(kUsage) for what is
// neither, and for an empty text.
Annotation annotate(const History& history, const std::string& when, const std::string& text);
[[nodiscard]] std::vector<Annotation> annotations(const History& history);

// Silences alarms, by the numbers that `check` gave; `note` says why. Returns the numbers that were
// not acknowledged yet. Error(kUsage), with nothing done, for a number that there is not.
std::vector<std::int64_t> acknowledge(const History& history,
                                      const std::vector<std::int64_t>& numbers,
                                      const std::string& note);
// They alarm again.
void take_back(const History& history, const std::vector<std::int64_t>& numbers);

}  // namespace stepmark
