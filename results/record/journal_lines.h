// SPDX-License-Identifier: Apache-2.0
// JSON form of the journal's lines other than records. Internal to results; the tests, the schema
// and the fuzzer use it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "results/record/journal.h"
#include "results/record/recompute.h"

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

// The run of a file's content; `path` is for messages. Figures are those of `derive`; without one
// they are as the file has them, which only whoever writes on can do with.
// Error(kUsage) "path:line: what is wrong, what was expected" for a damaged line, one that cannot
// be read, an unsupported schema version, and what is beyond journal_limits.h; a truncated last
// line is only a warning.
[[nodiscard]] Run parse_lines(std::string_view content, const std::string& path,
                              const Derive& derive, const ReadOptions& options = {},
                              JournalTail* tail = nullptr);
// The bytes of a file. Error(kUsage) when it cannot be read, is a directory or beyond the limits.
[[nodiscard]] std::string read_journal_file(const std::string& path);

}  // namespace stepmark
