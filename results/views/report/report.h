// SPDX-License-Identifier: Apache-2.0
// One self-contained HTML page about one or more runs: opens from disk, loads nothing.
#pragma once

#include <span>
#include <string>

#include "results/record/journal.h"

namespace stepmark {

// The page as text. `runs` in the order of the page; Error(kUsage) when empty.
[[nodiscard]] std::string report_html(std::span<const Run> runs);

// Writes it as write_output_file() does: a file is whole or untouched. Error(kEnvironment) with
// errno text.
void write_report(std::span<const Run> runs, const std::string& path);

}  // namespace stepmark
