// SPDX-License-Identifier: Apache-2.0
// What several views say alike of a history.
#pragma once

#include <string>

#include "results/history/check.h"
#include "results/history/history.h"

namespace stepmark {

// "nightly on az-nd-h100-v5, cuda, 16 ranks"; the provenance where it is not measured.
[[nodiscard]] std::string line_words(const HistoryLine& line);

// A ratio of times as a change: "+3.1 %".
[[nodiscard]] std::string change_words(double ratio);
// "+2.2 to +4.1 %"; N/A where it is not known.
[[nodiscard]] std::string interval_words(const LevelRatio& ratio);

// "ALARM 3: slower since run R by +3.1 % (...): 4 cases; nightly on ..."
[[nodiscard]] std::string headline(const HistoryEvent& event);
// Counts of everything, and what the exit code is.
[[nodiscard]] std::string check_words(const CheckResult& result);

}  // namespace stepmark
