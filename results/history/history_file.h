// SPDX-License-Identifier: Apache-2.0
// The file of a history: its tables, and how older ones become today's. Tables and columns:
// docs/history.md. Internal to results/history.
#pragma once

#include <string>

#include "results/history/database.h"

namespace stepmark {

// "stmk" in the header of the file: that it is a history and not somebody's other database.
inline constexpr std::int64_t kHistoryMark = 0x73746d6b;

// The version of the tables that this build writes (`user_version` of the file).
[[nodiscard]] int history_version();

// Opens, and brings the tables up to date. Error(kUsage) for a file that is another database,
// damaged, or of a later version.
[[nodiscard]] Database open_history_file(const std::string& path, bool create);

}  // namespace stepmark
