// SPDX-License-Identifier: Apache-2.0
// A run as JSON for other tools. Pure; docs/file-formats.md says what the keys mean.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "results/record/journal.h"

namespace stepmark {

// Adds "spread" and "repetitions", each repetition's outcome and time, to the JSON of a record that
// stands for several.
void add_repetitions(const Run& run, const Record& record, nlohmann::json& json);
// {"run": header, "records": [...], "missing": [...], "warnings": [...]}; records are without raw
// samples and timelines, which stay in the journal.
[[nodiscard]] nlohmann::json run_json(const Run& run);

}  // namespace stepmark
