// SPDX-License-Identifier: Apache-2.0
// Nothing is checked here: what a file holds was checked when it was added.
#include "results/history/rows.h"

namespace stepmark {

HistoryRun run_of(Statement& row, const HistoryLine& line) {
  return {.id = row.integer(0),
          .run_id = row.text(1),
          .line = line,
          .at = row.integer(2),
          .started = row.text(3),
          .added = row.text(4),
          .file = row.text(5),
          .tool_version = row.text(6),
          .git_revision = row.text(7),
          .ended = row.boolean(8),
          .exit_code = static_cast<int>(row.integer(9)),
          .cases = static_cast<int>(row.integer(10)),
          .measured = static_cast<int>(row.integer(11))};
}

std::vector<Annotation> annotations_of(Statement& rows) {
  std::vector<Annotation> out;
  while (rows.step()) {
    out.push_back({.at = rows.integer(0),
                   .when = utc_text(rows.integer(0)),
                   .text = rows.text(1),
                   .made = rows.text(2),
                   .line = rows.integer(3)});
  }
  return out;
}

}  // namespace stepmark
