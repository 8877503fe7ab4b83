// SPDX-License-Identifier: Apache-2.0
// A run as text: terminal tables, CSV and JSON. Pure functions; nothing is printed here.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "results/record/journal.h"

namespace stepmark {

// At most 100 columns (longer names are shortened in the middle), UTF-8, no escape sequences:
// collectives (a block per collective, dtype and placement), kernels, steps with their time split,
// cases not measured with reasons, warnings, environment.
[[nodiscard]] std::string run_table(const Run& run);

// Adds "spread" and "repetitions", each repetition's outcome and time, to the JSON of a record that
// stands for several.
void add_repetitions(const Run& run, const Record& record, nlohmann::json& json);
// {"run": header, "records": [...], "missing": [...], "warnings": [...]}; records are without raw
// samples and timelines, which stay in the journal.
[[nodiscard]] nlohmann::json run_json(const Run& run);

// RFC 4180 with header line; one row per record and metric, one row with empty metric for a record
// without metrics and for a case without record. Columns: docs/file-formats.md.
[[nodiscard]] std::string runs_csv(std::span<const Run> runs);

}  // namespace stepmark
