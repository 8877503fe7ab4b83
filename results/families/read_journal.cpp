// SPDX-License-Identifier: Apache-2.0
// The lowest folder that sees records and families both: here parsing gets the function that
// derives figures.
#include "results/families/read_journal.h"

#include "results/families/derive.h"
#include "results/record/journal_lines.h"

namespace stepmark {

Run parse_journal(std::string_view content, const std::string& path, const ReadOptions& options) {
  return parse_lines(content, path, derive, options);
}

Run read_journal(const std::string& path, const ReadOptions& options) {
  return parse_journal(read_journal_file(path), path, options);
}

}  // namespace stepmark
