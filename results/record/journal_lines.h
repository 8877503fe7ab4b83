// SPDX-License-Identifier: Apache-2.0
// JSON form of the journal's lines other than records. Internal to results; the tests, the schema
// and the fuzzer use it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "results/record/journal.h"

namespace stepmark {

// `type` is "run" for the first line of a journal and "resume" for a later invocation's.
[[nodiscard]] nlohmann::json header_json(const RunHeader& header, std::string_view type);
// Error(kUsage) naming the key; an unsupported schema_version is reported before anything else.
[[nodiscard]] RunHeader header_from_json(const nlohmann::json& json);
// Compact, without line break; invalid UTF-8 is shown escaped and never an error.
[[nodiscard]] std::string compact(const nlohmann::json& json);
[[nodiscard]] nlohmann::json record_line_json(const Record& record);

// "intact", "no hashes" (of a version that wrote none) or "damaged" (read all the same).
[[nodiscard]] std::string_view integrity_of(const Run& run);

// Where a journal can be continued.
struct JournalTail {
  std::string hash;            // of the last line that was read
  std::size_t bytes = 0;       // up to the end of that line
  bool break_missing = false;  // its line break is not among them
};

// What read_journal does with a file's content; `path` is for messages.
[[nodiscard]] Run parse_journal(std::string_view content, const std::string& path,
                                const ReadOptions& options = {}, JournalTail* tail = nullptr);
// The bytes of a file. Error(kUsage) when it cannot be read, is a directory or beyond the limits.
[[nodiscard]] std::string read_journal_file(const std::string& path);

}  // namespace stepmark
