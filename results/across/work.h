// SPDX-License-Identifier: Apache-2.0
// What was done, as opposed to how and on what: model, batch, sequence, precision, optimizer and
// the method of measuring. Two steps of the same work may be compared whatever machine and plan did
// it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "results/record/journal.h"

namespace stepmark {

// Names and values in fixed order; a fact that a record lacks is "not stated".
using Work = std::vector<std::pair<std::string, std::string>>;
[[nodiscard]] Work work_of(const Run& run, const Record& record);
// "tokens per step is 8192 and 4096; precision is bf16 and fp32"; empty: the same work.
[[nodiscard]] std::string work_difference(const Work& a, const Work& b);
// A step that was measured, or why its time is none that may be compared: failed, a failed check,
// no performance, no samples. Of every repetition.
[[nodiscard]] std::string why_no_step(const Run& run, const Record& record);

}  // namespace stepmark
