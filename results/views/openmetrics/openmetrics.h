// SPDX-License-Identifier: Apache-2.0
// A history as OpenMetrics 1.0 text, for Prometheus and what reads it. Names and labels:
// docs/history.md.
#pragma once

#include <string>

#include "results/history/check.h"

namespace stepmark {

// The newest run of each line without times, for a textfile collector; or all runs with their
// times, for a backfill. Ends in "# EOF".
[[nodiscard]] std::string openmetrics_text(const History& history, const CheckResult& check,
                                           bool all_runs);

}  // namespace stepmark
