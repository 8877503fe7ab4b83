// SPDX-License-Identifier: Apache-2.0
// Runs as CSV. Pure.
#pragma once

#include <span>
#include <string>

#include "results/record/journal.h"

namespace stepmark {

// RFC 4180 with header line; one row per record and metric, one row with empty metric for a record
// without metrics and for a case without record. Columns: docs/file-formats.md.
[[nodiscard]] std::string runs_csv(std::span<const Run> runs);

}  // namespace stepmark
