// SPDX-License-Identifier: Apache-2.0
// What a comparison comes to: which cases have no verdict and why, and its exit code. The table of
// all combinations: docs/file-formats.md.
#pragma once

#include "core/error.h"
#include "results/compare/compare.h"

namespace stepmark {

// Same, faster, slower or undecided: both sides have a time.
[[nodiscard]] bool is_compared(Verdict verdict);

// Tells cases apart that cannot be compared, from what the runs of both sides hold: `failed` when
// any run of the candidate failed its case or a check of it (whatever the baseline says), `skipped`
// when every run of both sides skipped it, `missing` when a run of the candidate has no result,
// else as it was.
void refine(CaseVerdict& verdict, const RunSide& baseline, const RunSide& candidate);

// kCheckFailed with a slower or failed case, else kNotMeasured with a missing or incomparable one
// (unless options.allow_missing) or when nothing at all was compared, else kOk.
[[nodiscard]] ExitCode exit_code(const Comparison& comparison);

// Whether there is a candidate of which nothing at all was compared.
[[nodiscard]] bool has_empty_side(const Comparison& comparison);

}  // namespace stepmark
