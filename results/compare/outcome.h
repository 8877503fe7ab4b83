// SPDX-License-Identifier: Apache-2.0
// What a comparison comes to: which cases have no verdict and why, the counts that close it, and
// its exit code. The table of all combinations: docs/file-formats.md.
#pragma once

#include <string>

#include "core/error.h"
#include "results/compare/compare.h"

namespace stepmark {

// Same, faster, slower or undecided: both sides have a time.
[[nodiscard]] bool is_compared(Verdict verdict);

// Tells cases apart that cannot be compared, from what the runs of both sides hold: `failed` when
// any run of the candidate failed its case or a check of it (whatever the baseline says), `skipped`
// when every run of both sides skipped it, `missing` when a run of the candidate has no result,
// else as it was.
void refine(CaseVerdict& verdict, const RunGroup& baseline, const RunGroup& candidate);

// kCheckFailed with a slower or failed case, else kNotMeasured with a missing or incomparable one
// (unless options.allow_missing) or when nothing at all was compared, else kOk.
[[nodiscard]] ExitCode exit_code(const Comparison& comparison);

// "12 cases compared: 10 same, ...; 1 failed, 2 missing, ..." of one side.
[[nodiscard]] std::string counts_text(const SideComparison& side);
// The last line: counts over all sides, the exit code and its reason.
[[nodiscard]] std::string closing_text(const Comparison& comparison);

}  // namespace stepmark
