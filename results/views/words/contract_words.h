// SPDX-License-Identifier: Apache-2.0
// Floors and credits in words that tables and JSON share. Internal to results/views.
#pragma once

#include <string>
#include <vector>

#include "results/contract/check.h"
#include "results/contract/credits.h"

namespace stepmark {

// "busbw at least 330 GB/s: 10 % quantile of run medians, at 95 % confidence".
[[nodiscard]] std::string promise_text(const Floor& floor);
// "12 further runs like these would decide"; empty where it is decided or nothing is measured.
[[nodiscard]] std::string further_text(const FloorCell& cell);
// Why it is not decided, and what would decide it.
[[nodiscard]] std::string cell_reason(const FloorCell& cell);
// "all 3 runs are simulated"; empty of measured ones.
[[nodiscard]] std::string provenance_text(const FloorCell& cell);
// The same once for all of them, "All 24 runs are simulated, not measured."; empty where they
// differ or are measured.
[[nodiscard]] std::string provenance_of_all(const std::vector<const FloorResult*>& floors);
// How a bound was found, for both: "order statistics", "log-normal below, order statistics above".
[[nodiscard]] std::string method_text(const QuantileBounds& bounds);
// The last line: counts of floors, the exit code and its reason.
[[nodiscard]] std::string closing_text(const ContractCheck& check);
// Money as the currency's decimals: "1250.00"; more digits where they are not 0.
[[nodiscard]] std::string money_text(std::int64_t millionths);
// "99.5 %", exactly.
[[nodiscard]] std::string share_text(std::int64_t share);

}  // namespace stepmark
