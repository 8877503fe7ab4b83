// SPDX-License-Identifier: Apache-2.0
// From what the devices said of themselves to the facts of a record. Internal to harness/cases.
#pragma once

#include "core/control.h"
#include "harness/measure/telemetry.h"
#include "results/record/record.h"

namespace stepmark {

// Collective; rank 0's record gets the facts of all ranks. `iterations` were run in the window.
// Names and meanings: docs/file-formats.md.
void add_telemetry(Record& record, Control& control, const TelemetrySummary& own, int iterations);

}  // namespace stepmark
