// SPDX-License-Identifier: Apache-2.0
// What computed a step's attention and GEMMs, as facts of its record. Internal to harness/cases.
// Names and meanings: docs/file-formats.md.
#pragma once

#include <functional>

#include "core/control.h"
#include "harness/exec/executor.h"
#include "results/record/record.h"

namespace stepmark {

// Collective. `engine_of`: of an op by its number in `program`, on this rank. Rank 0's record gets
// the facts; a remark where an engine that was expected was refused, on any rank, and where ranks
// differ.
void add_engines(Record& record, Control& control, const Program& program,
                 const std::function<OpEngine(std::int32_t)>& engine_of);

}  // namespace stepmark
