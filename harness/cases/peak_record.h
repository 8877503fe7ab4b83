// SPDX-License-Identifier: Apache-2.0
// The device's specified peak as facts of a record, and what the time was taken at. Internal to
// harness/cases. Names and meanings: docs/file-formats.md.
#pragma once

#include "core/dtype.h"
#include "harness/spec/known_gpu.h"
#include "results/record/record.h"

namespace stepmark {

// The peak of GEMMs of `dtype`, whose it is and what it stands for; or why there is none.
void add_peak_reference(Record& record, const PeakReference& reference, DType dtype);

// A remark where the devices' power was limited below what their peak is specified at. Once the
// record has its telemetry.
void add_power_cap(Record& record, const PeakReference& reference);

}  // namespace stepmark
