// SPDX-License-Identifier: Apache-2.0
// What the spans of one step say in its record: where its time went, who was waited for, the lanes
// of the report's timeline, and the trace.
#pragma once

#include <string>
#include <vector>

#include "harness/cases/case.h"
#include "harness/exec/executor.h"
#include "harness/program/program.h"
#include "harness/program/timeline/timeline.h"

namespace stepmark {

// Of the sample whose time is nearest to the median of the record's first series. Where samples
// have no spans, because taking them costs time, a few steps are run with them, and of these the
// middle one counts. Collective.
[[nodiscard]] Timeline nearest_timeline(Record& record, CaseContext& context, Runnable& runnable,
                                        std::vector<Timeline> sampled);
// The split of the rank that computed longest, spans of as many ranks as fit, and where a folder
// for traces is given, the trace. Collective; nothing where the timeline has no spans.
void add_timeline(Record& record, CaseContext& context, const std::string& id,
                  const Program& program, const Timeline& timeline);

}  // namespace stepmark
