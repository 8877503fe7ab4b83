// SPDX-License-Identifier: Apache-2.0
// One self-contained HTML page about one or more runs: opens from disk, loads nothing.
#pragma once

#include <span>
#include <string>

#include "results/record/journal.h"
#include "results/views/report/page_parts.h"

namespace stepmark {

// The page as text. `runs` in the order of the page; Error(kUsage) when empty.
[[nodiscard]] std::string report_html(std::span<const Run> runs);

// The same with more than the runs themselves say: of providers which of them is cheaper, with
// prices that a reader can change; a history; what is known of the files.
[[nodiscard]] std::string report_html(std::span<const Run> runs, const PageParts& parts);

// Writes it as write_output_file() does: a file is whole or untouched. Error(kEnvironment) with
// errno text.
void write_report(std::span<const Run> runs, const std::string& path);

}  // namespace stepmark
