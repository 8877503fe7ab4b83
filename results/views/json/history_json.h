// SPDX-License-Identifier: Apache-2.0
// A history as JSON, for tools. docs/history.md.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "results/history/check.h"
#include "results/history/history.h"

namespace stepmark {

[[nodiscard]] nlohmann::json to_json(const HistoryLine& line);
[[nodiscard]] nlohmann::json to_json(const HistoryRun& run);
[[nodiscard]] nlohmann::json to_json(const HistoryEvent& event);
[[nodiscard]] nlohmann::json to_json(const CheckResult& result);
// All of it: runs, series with their points, what a check finds, annotations.
[[nodiscard]] nlohmann::json history_json(const History& history, const CheckResult& check,
                                          bool newest_only);
[[nodiscard]] nlohmann::json runs_json(const std::vector<HistoryRun>& runs);

}  // namespace stepmark
