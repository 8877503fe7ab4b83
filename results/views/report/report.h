// SPDX-License-Identifier: Apache-2.0
// One self-contained HTML page about one or more runs: opens from disk, loads nothing.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "results/record/journal.h"

namespace stepmark {

// The page as text. `runs` in the order of the page; Error(kUsage) when empty.
[[nodiscard]] std::string report_html(std::span<const Run> runs);

// The same of providers: above the runs stands which of them is cheaper, from the JSON of
// `compare --across` (results/views/json/across_json.h), with prices that a reader can change.
[[nodiscard]] std::string report_html(std::span<const Run> runs, const nlohmann::json& across);

// Writes it as write_output_file() does: a file is whole or untouched. Error(kEnvironment) with
// errno text.
void write_report(std::span<const Run> runs, const std::string& path);

}  // namespace stepmark
