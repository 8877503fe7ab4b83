// SPDX-License-Identifier: Apache-2.0
// Journals with the figures that follow from their samples.
#pragma once

#include <string>
#include <string_view>

#include "results/record/journal.h"

namespace stepmark {

// Summaries and metrics are those of the samples, whatever the file says. Errors: parse_lines().
[[nodiscard]] Run read_journal(const std::string& path, const ReadOptions& options = {});
// The same of a file's content; `path` is for messages.
[[nodiscard]] Run parse_journal(std::string_view content, const std::string& path,
                                const ReadOptions& options = {});

}  // namespace stepmark
