// SPDX-License-Identifier: Apache-2.0
// Rows of the file's tables as the structs that others see: columns and fields once. Internal to
// results/history.
#pragma once

#include <string>
#include <vector>

#include "results/history/check.h"
#include "results/history/database.h"
#include "results/history/history.h"

namespace stepmark {

// What run_of() reads, in its order.
inline constexpr const char* kRunColumns =
    "id, run_id, at, started, added, file, tool_version, git_revision, ended, exit_code, cases, "
    "measured";
[[nodiscard]] HistoryRun run_of(Statement& row, const HistoryLine& line);

// What annotations_of() reads, in its order.
inline constexpr const char* kAnnotationColumns = "at, text, made, line";
[[nodiscard]] std::vector<Annotation> annotations_of(Statement& rows);

}  // namespace stepmark
