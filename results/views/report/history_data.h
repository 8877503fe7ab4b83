// SPDX-License-Identifier: Apache-2.0
// A history as the page draws it: each case's medians with what a check finds in them.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "results/history/check.h"

namespace stepmark {

// {"said", "lines": [{"words", "runs": [[run_id, started]], "series": [{"case_id", "unit",
// "points":
// [[run, median, lower, upper, counts]], "changes": [{"run", "ratio", "lower", "upper", "slower",
// "state", "alarm"}]}], "left_out", "notes": [{"run", "when", "text"}]}], "events": [...]}; `run`
// is an index into the line's runs, points before the newest `kHistoryRuns` runs are left out.
// Cases that changed come first; of those that did not, as many as fit a page, "left_out" counts
// the rest.
[[nodiscard]] nlohmann::json history_data(const History& history, const CheckResult& check);

inline constexpr int kHistoryRuns = 120;       // of each line
inline constexpr int kHistoryPoints = 12'000;  // of the page

}  // namespace stepmark
