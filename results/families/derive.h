// SPDX-License-Identifier: Apache-2.0
// From a record's facts and samples to its figures.
#pragma once

#include "results/record/record.h"

namespace stepmark {

// Fills `summaries` (one per series) and `metrics` (by family, from numbers and the time summary;
// docs/file-formats.md has all).
// Never throws and never touches the samples: a metric that cannot be has no value, its reason as
// note, and a label "NAME is N/A: REASON" on the record; where nothing can be derived (no samples,
// a median of 0 s, an unknown family) the label is "no figures: REASON". Labels of an earlier
// derivation are replaced. Without perf_valid every metric is N/A: the times stay, in the
// summaries. An imported record without samples keeps its summaries and has the label kNoSamples;
// its figures have no intervals. Pure: reading a journal derives again and compares. A record of
// another outcome than ok gets neither.
void derive(Record& record);
// The metrics that follow from summaries whose samples are elsewhere: as derive(), which computes
// those first.
void derive_from_summaries(Record& record);

}  // namespace stepmark
