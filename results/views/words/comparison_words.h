// SPDX-License-Identifier: Apache-2.0
// A comparison in words that its table and its JSON share. Internal to results/views.
#pragma once

#include <string>
#include <vector>

#include "results/compare/compare.h"

namespace stepmark {

// Why a case is not compared; else in what its records differ, and what a reader must know of how
// the verdict came about. May be empty.
[[nodiscard]] std::string reason_text(const CaseVerdict& verdict);
// The side's notes, and what would decide where the spread between runs is unknown.
[[nodiscard]] std::vector<std::string> notes_text(const SideComparison& side);
// What would decide an undecided case, for a column: "+3 runs", "+3 runs?" (then
// ask again), "4 runs of 8x"; empty of others.
[[nodiscard]] std::string need_text(const ToDecide& need);
// What would decide the side's undecided cases, and what that promises; empty without any.
[[nodiscard]] std::string deciding_text(const SideComparison& side, const CompareOptions& options);
// "12 cases compared: 10 same, ...; 1 failed, 2 missing, ..." of one side.
[[nodiscard]] std::string counts_text(const SideComparison& side);
// The last line: counts over all sides, the exit code and its reason.
[[nodiscard]] std::string closing_text(const Comparison& comparison);

}  // namespace stepmark
